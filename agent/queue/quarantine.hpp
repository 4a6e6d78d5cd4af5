// SPDX-License-Identifier: Apache-2.0
// The folder `quarantine` of a queue: what was damaged, each case in a folder of its own with the files as they were and
// a `report` in words, until the user has taken note and removes them. Owned by the keeper, used by the storage thread.
//
// Bounded: of the oldest cases the files go, then the reports, so that a dying disk does not fill itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "queue/stats.hpp"

namespace sluice::queue {

class Quarantine {
 public:
  struct Case {
    std::string name;  ///< of its folder
    std::string file;  ///< what was damaged
    std::string reason;
    std::int64_t time_ns = 0;  ///< wall clock
    std::uint64_t salvaged = 0;
    std::uint64_t lost = 0;
    bool acknowledged = false;
  };

  explicit Quarantine(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Reads the reports that are there.
  void load();
  /// Opens a case: keeps `file`, where it is there, with what SQLite has beside it. The originals stay, too, where the
  /// file system can do that. Answers where the file is now. Throws std::system_error.
  std::filesystem::path keep(const std::filesystem::path& file, std::int64_t time_ns);
  /// Closes the case that keep() opened.
  void report(const Case& found);
  /// Gives it up, after a failure: it will be tried again.
  void abandon() noexcept;

  /// All cases are known to the user; how many were not.
  std::uint64_t acknowledge();

  const std::vector<Case>& cases() const { return cases_; }
  std::uint64_t bytes() const { return bytes_; }
  QuarantineSummary summary() const;
  const std::filesystem::path& folder() const { return folder_; }
  /// Removes files of the oldest cases beyond that many bytes.
  void limit(std::uint64_t bytes);

 private:
  void write(const Case& one) const;
  void measure();

  std::filesystem::path folder_;
  std::vector<Case> cases_;  // oldest first
  std::string open_;         // folder of the case that keep() opened
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice::queue
