// SPDX-License-Identifier: Apache-2.0
#include "queue/simulated_disk.hpp"

#include <algorithm>
#include <fstream>

namespace sluice::queue {
namespace {

using Kind = DiskOperation::Kind;

constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint64_t page_sectors = 8;

std::size_t sectors_of(std::uint64_t bytes) {
  return static_cast<std::size_t>((bytes + sector_bytes - 1) / sector_bytes);
}

std::string folder_of(const std::string& name) {
  return std::filesystem::path(name).parent_path().string();
}

// A sector of `from` into `to`, which grows as needed.
void copy_sector(const std::string& from, std::string& to, std::size_t sector) {
  const std::size_t begin = sector * sector_bytes;
  const std::size_t end = std::min<std::size_t>(from.size(), begin + sector_bytes);
  if (begin >= end) return;
  if (to.size() < end) to.resize(end, '\0');
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(begin),
            from.begin() + static_cast<std::ptrdiff_t>(end), to.begin() + static_cast<std::ptrdiff_t>(begin));
}

}  // namespace

void SimulatedDisk::apply(const DiskOperation& operation) {
  constexpr unsigned now_and_then = 20;
  switch (operation.kind) {
    case Kind::write:
      write(files_[operation.file], operation.at, operation.data);
      break;
    case Kind::resize:
      resize(files_[operation.file], operation.at);
      break;
    case Kind::sync:
      if (!ignore_syncs_) sync(files_[operation.file]);
      break;
    case Kind::failed_sync:
      fail_sync(files_[operation.file]);
      break;
    case Kind::create:
      change({operation.name, operation.file, true, false});
      break;
    case Kind::remove:
      change({operation.name, 0, false, false});
      break;
    case Kind::make_folder:
      change({operation.name, 0, true, true});
      break;
    case Kind::sync_folder:
      if (!ignore_syncs_) keep_names(operation.name, pending_[operation.name].size());
      break;
  }
  // The kernel writes on its own account, too.
  if (operation.kind == Kind::write && chance(now_and_then)) {
    File& file = files_[operation.file];
    const auto part = static_cast<unsigned>(random_() % 1000);
    for (std::size_t sector = 0; sector < file.sectors.size(); ++sector) {
      if (file.sectors[sector] == Sector::dirty && chance(part)) write_back(file, sector);
    }
  }
  if (chance(now_and_then)) {
    for (auto& [folder, changes] : pending_) keep_names(folder, random_() % (changes.size() + 1));
  }
}

void SimulatedDisk::write(File& file, std::uint64_t at, const std::string& data) {
  if (data.empty()) return;
  const std::uint64_t end = at + data.size();
  if (at > file.cache.size()) resize(file, at);
  if (file.cache.size() < end) file.cache.resize(end, '\0');
  std::copy(data.begin(), data.end(), file.cache.begin() + static_cast<std::ptrdiff_t>(at));
  file.sectors.resize(sectors_of(file.cache.size()), Sector::dirty);
  const std::size_t first = at / sector_bytes;
  const std::size_t last = sectors_of(end) - 1;
  std::fill(file.sectors.begin() + static_cast<std::ptrdiff_t>(first),
            file.sectors.begin() + static_cast<std::ptrdiff_t>(last) + 1, Sector::dirty);
  // The kernel writes pages: what it had forgotten of them goes along.
  const std::size_t page_end = std::min(file.sectors.size(), (last / page_sectors + 1) * page_sectors);
  for (std::size_t sector = first / page_sectors * page_sectors; sector < page_end; ++sector) {
    if (file.sectors[sector] == Sector::forgotten) file.sectors[sector] = Sector::dirty;
  }
}

void SimulatedDisk::resize(File& file, std::uint64_t size) {
  const std::size_t before = file.cache.size();
  file.cache.resize(size, '\0');
  file.sectors.resize(sectors_of(size), Sector::dirty);
  if (size > before && before % sector_bytes != 0) file.sectors[before / sector_bytes] = Sector::dirty;
}

void SimulatedDisk::write_back(File& file, std::size_t sector) {
  copy_sector(file.cache, file.disk, sector);
  file.sectors[sector] = Sector::clean;
}

void SimulatedDisk::sync(File& file) {
  for (std::size_t sector = 0; sector < file.sectors.size(); ++sector) {
    if (file.sectors[sector] == Sector::dirty) write_back(file, sector);
  }
  file.disk.resize(file.cache.size(), '\0');
  file.disk_size = file.cache.size();
}

void SimulatedDisk::fail_sync(File& file) {
  const auto part = static_cast<unsigned>(random_() % 1000);
  for (std::size_t sector = 0; sector < file.sectors.size(); ++sector) {
    if (file.sectors[sector] != Sector::dirty) continue;
    if (chance(part)) {
      write_back(file, sector);
    } else {
      file.sectors[sector] = Sector::forgotten;
    }
  }
}

void SimulatedDisk::change(const Change& change) {
  pending_[folder_of(change.name)].push_back(change);
}

void SimulatedDisk::keep_names(const std::string& folder, std::size_t count) {
  std::vector<Change>& changes = pending_[folder];
  for (std::size_t i = 0; i < count; ++i) {
    if (changes[i].there) {
      kept_[changes[i].name] = changes[i];
    } else {
      kept_.erase(changes[i].name);
    }
  }
  changes.erase(changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(count));
}

std::string SimulatedDisk::content_after_cut(const File& file, unsigned survive_of_a_thousand) {
  std::string content = file.disk;
  for (std::size_t sector = 0; sector < file.sectors.size(); ++sector) {
    if (file.sectors[sector] == Sector::dirty && chance(survive_of_a_thousand)) {
      copy_sector(file.cache, content, sector);
    }
  }
  // The size that was synced, or the latest; where it has grown, perhaps one in between. A file that is cut short is so at once.
  std::uint64_t size = random_() % 2 == 0 ? file.disk_size : file.cache.size();
  if (file.cache.size() > file.disk_size && random_() % 3 == 0) {
    size = file.disk_size + random_() % (file.cache.size() - file.disk_size + 1);
  }
  content.resize(size, '\0');
  return content;
}

void SimulatedDisk::cut(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  Names names = kept_;
  const std::map<std::string, std::vector<Change>> pending = pending_;
  for (const auto& [parent, changes] : pending) {
    const std::size_t count = random_() % (changes.size() + 1);
    for (std::size_t i = 0; i < count; ++i) {
      if (changes[i].there) {
        names[changes[i].name] = changes[i];
      } else {
        names.erase(changes[i].name);
      }
    }
  }
  fs::create_directories(folder);
  // From all that is not synced to nothing of it.
  constexpr unsigned parts[] = {0, 100, 500, 900, 1000};
  const unsigned survive = parts[random_() % std::size(parts)];
  for (const auto& [name, entry] : names) {
    const fs::path path = folder / name;
    if (entry.folder) {
      if (fs::exists(path.parent_path())) fs::create_directory(path);
      continue;
    }
    if (!fs::exists(path.parent_path())) continue;  // its folder has not got there
    const std::string content = content_after_cut(files_[entry.file], survive);
    std::ofstream(path, std::ios::binary) << content;
  }
}

}  // namespace sluice::queue
