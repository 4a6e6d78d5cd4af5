// SPDX-License-Identifier: Apache-2.0
#include "queue/mirror.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

// "SULCMRR2", little-endian. A program that knows the first version only starts such a file anew, since it would keep seals
// and not break them.
constexpr std::uint64_t head_key = 0x3252524D434C5553;
constexpr std::uint64_t head_key_before = 0x3152524D434C5553;
constexpr int read_write_by_group = 0640;

struct Stored {
  Mirror::Key key = 0;
  Mirror::Numbers numbers{};
  std::uint64_t checksum = 0;
};
static_assert(sizeof(Stored) == 192);

}  // namespace

std::uint64_t Mirror::checksum_of(Key key, const Numbers& numbers) {
  constexpr std::uint64_t basis = 0xCBF29CE484222325;
  constexpr std::uint64_t prime = 0x100000001B3;
  std::uint64_t sum = basis;
  const auto add = [&](std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) sum = (sum ^ (number >> shift & 0xFFU)) * prime;
  };
  add(key);
  for (const std::uint64_t number : numbers) add(number);
  return sum;
}

void Mirror::load() noexcept {
  records_.clear();
  free_places_.clear();
  places_ = 1;
  unknown_ = false;
  close();
  const FileDescriptor file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    unknown_ = errno != ENOENT;
    return;
  }
  for (std::uint64_t place = 0;; ++place) {
    Stored record;
    const ssize_t size =
        ::pread(file.get(), &record, sizeof record, static_cast<off_t>(place * sizeof record));
    unknown_ = unknown_ || size < 0;
    if (size != sizeof record) break;
    const bool whole = record.checksum == checksum_of(record.key, record.numbers);
    if (place == 0) {
      if (!whole || record.key == head_key) continue;
      unknown_ = true;
      if (record.key == head_key_before) continue;
      return;  // a later version
    }
    places_ = place + 1;
    if (!whole || record.key == 0) {
      free_places_.insert(place);
    } else {
      records_[record.key] = {place, record.numbers};
    }
  }
}

std::optional<Mirror::Numbers> Mirror::find(Key key) const {
  const auto found = records_.find(key);
  return found == records_.end() ? std::nullopt : std::optional(found->second.numbers);
}

std::vector<Mirror::Key> Mirror::keys(Key first, Key last) const {
  std::vector<Key> found;
  for (auto at = records_.lower_bound(first); at != records_.end() && at->first <= last; ++at) {
    found.push_back(at->first);
  }
  return found;
}

// A file that is new, or has missed something, gets all that is known.
bool Mirror::open() noexcept {
  if (descriptor_) return true;
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | (unknown_ ? O_TRUNC : 0);
  descriptor_ = FileDescriptor(::open(file_.c_str(), flags, read_write_by_group));
  if (!descriptor_) return false;
  unknown_ = false;
  struct stat status {};
  if (::fstat(descriptor_.get(), &status) == 0 && status.st_size == 0) behind_ = true;
  if (!write(0, head_key, {}) || (behind_ && !write_all())) {
    close();
    return false;
  }
  behind_ = false;
  return true;
}

bool Mirror::write(std::uint64_t place, Key key, const Numbers& numbers) noexcept {
  const Stored record{key, numbers, checksum_of(key, numbers)};
  return ::pwrite(descriptor_.get(), &record, sizeof record, static_cast<off_t>(place * sizeof record)) ==
         sizeof record;
}

bool Mirror::write_all() noexcept {
  return std::all_of(records_.begin(), records_.end(), [this](const auto& one) {
    return write(one.second.place, one.first, one.second.numbers);
  });
}

std::uint64_t Mirror::free_place() {
  if (free_places_.empty()) return places_++;
  return free_places_.extract(free_places_.begin()).value();
}

void Mirror::put(Key key, const Numbers& numbers) noexcept {
  const auto found = records_.find(key);
  if (found != records_.end() && found->second.numbers == numbers && !behind_) return;
  Record& record = records_[key];
  if (record.place == 0) record.place = free_place();
  record.numbers = numbers;
  if (open() && write(record.place, key, numbers)) return;
  behind_ = true;
  close();
}

void Mirror::erase(std::span<const Key> keys) {
  std::vector<std::map<Key, Record>::iterator> found;
  for (const Key key : keys) {
    if (const auto at = records_.find(key); at != records_.end()) found.push_back(at);
  }
  if (found.empty()) return;
  const bool erased = open() &&
                      std::all_of(found.begin(), found.end(),
                                  [this](const auto& one) { return write(one->second.place, 0, {}); }) &&
                      ::fdatasync(descriptor_.get()) == 0;
  if (!erased) remove_file();
  for (const auto& one : found) {
    free_places_.insert(one->second.place);
    records_.erase(one);
  }
}

void Mirror::remove_file() {
  close();
  struct stat status {};
  if (::lstat(file_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) return;  // nobody believes that
  if (::unlink(file_.c_str()) != 0 && errno != ENOENT) {
    throw std::system_error(errno, std::generic_category(), file_.string());
  }
  if (std::filesystem::exists(file_.parent_path())) sqlite::sync_directory(file_.parent_path());
}

std::uint64_t Mirror::bytes() const noexcept {
  return places_ * sizeof(Stored);
}

bool Mirror::was_removed() const noexcept {
  if (records_.empty()) return false;
  struct stat named {};
  if (::stat(file_.c_str(), &named) != 0) return true;
  struct stat opened {};
  return descriptor_ && ::fstat(descriptor_.get(), &opened) == 0 && opened.st_ino != named.st_ino;
}

void Mirror::rewrite() noexcept {
  close();
  unknown_ = true;
  if (open()) sync();
}

void Mirror::sync() noexcept {
  if (descriptor_) ::fdatasync(descriptor_.get());
}

}  // namespace sluice::queue
