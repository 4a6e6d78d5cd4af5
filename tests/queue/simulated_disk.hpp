// SPDX-License-Identifier: Apache-2.0
// A disk under the kernel's page cache, fed with recorded operations: what was synced stays, of the rest a power cut leaves
// any part. For one thread.
//
// What may happen: the kernel writes back any sector at any time; of a sector of 512 bytes that is not synced the old or the
// new content is there after the cut; a new size, a new name and a name removed are there or not, names of one folder in
// their order. After a sync that failed, what was to be written may never get there, though later syncs succeed, unless its
// page is written again: that is what kernels do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "queue/recorded_disk.hpp"

namespace sluice::queue {

class SimulatedDisk {
 public:
  /// `ignore_syncs`: a disk that lies. The control: it must show damage.
  explicit SimulatedDisk(std::uint32_t seed, bool ignore_syncs = false)
      : random_(seed), ignore_syncs_(ignore_syncs) {}

  void apply(const DiskOperation& operation);
  /// What would be there, had the power been cut now, is made below `folder`.
  void cut(const std::filesystem::path& folder);

 private:
  enum class Sector : std::uint8_t { clean, dirty, forgotten };
  struct File {
    std::string cache;
    std::string disk;
    std::uint64_t disk_size = 0;
    std::vector<Sector> sectors;
  };
  struct Change {  // of a name
    std::string name;
    std::size_t file = 0;
    bool there = false;
    bool folder = false;
  };
  using Names = std::map<std::string, Change>;

  bool chance(unsigned of_a_thousand) { return random_() % 1000 < of_a_thousand; }
  void write(File& file, std::uint64_t at, const std::string& data);
  void resize(File& file, std::uint64_t size);
  void sync(File& file);
  void fail_sync(File& file);
  void write_back(File& file, std::size_t sector);
  void change(const Change& change);
  void keep_names(const std::string& folder, std::size_t count);
  std::string content_after_cut(const File& file, unsigned survive_of_a_thousand);

  std::mt19937 random_;
  const bool ignore_syncs_;
  std::map<std::size_t, File> files_;
  Names kept_;                                          // the names on the disk
  std::map<std::string, std::vector<Change>> pending_;  // by folder, in order
};

}  // namespace sluice::queue
