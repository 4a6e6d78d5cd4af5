// SPDX-License-Identifier: Apache-2.0
#include "queue/mirror.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

namespace sluice::queue {
namespace {

constexpr std::uint64_t head_key = 0x3152524D434C5553;
constexpr int read_write_by_group = 0640;

struct Stored {
  Mirror::Key key = 0;
  Mirror::Numbers numbers{};
  std::uint64_t checksum = 0;
};
static_assert(sizeof(Stored) == 192);

std::uint64_t checksum_of(const Stored& record) {
  constexpr std::uint64_t basis = 0xCBF29CE484222325;
  constexpr std::uint64_t prime = 0x100000001B3;
  std::uint64_t sum = basis;
  const auto add = [&](std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) sum = (sum ^ (number >> shift & 0xFFU)) * prime;
  };
  add(record.key);
  for (const std::uint64_t number : record.numbers) add(number);
  return sum;
}

}  // namespace

void Mirror::load() noexcept {
  records_.clear();
  close();
  const FileDescriptor file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return;
  Stored record;
  for (std::uint64_t place = 0; ::pread(file.get(), &record, sizeof record,
                                        static_cast<off_t>(place * sizeof record)) == sizeof record;
       ++place) {
    if (record.checksum != checksum_of(record)) continue;
    if (place == 0 && record.key != head_key) {
      later_version_ = true;  // what it says is not known
      return;
    }
    if (place > 0 && record.key != 0) records_[record.key] = {place, record.numbers};
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

bool Mirror::open() noexcept {
  if (descriptor_) return true;
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | (later_version_ ? O_TRUNC : 0);
  descriptor_ = FileDescriptor(::open(file_.c_str(), flags, read_write_by_group));
  return descriptor_ && write(0, head_key, {});
}

bool Mirror::write(std::uint64_t place, Key key, const Numbers& numbers) noexcept {
  Stored record{key, numbers, 0};
  record.checksum = checksum_of(record);
  return ::pwrite(descriptor_.get(), &record, sizeof record, static_cast<off_t>(place * sizeof record)) ==
         sizeof record;
}

std::uint64_t Mirror::free_place() const {
  std::set<std::uint64_t> taken;
  for (const auto& [key, record] : records_) {
    if (record.place != 0) taken.insert(record.place);
  }
  std::uint64_t place = 1;
  for (const std::uint64_t one : taken) {
    if (one != place) break;
    ++place;
  }
  return place;
}

void Mirror::put(Key key, const Numbers& numbers) noexcept {
  const auto found = records_.find(key);
  if (found != records_.end() && found->second.numbers == numbers) return;
  if (!open()) return;
  Record& record = records_[key];
  if (record.place == 0) record.place = free_place();
  record.numbers = numbers;
  write(record.place, key, numbers);
}

void Mirror::erase(Key key) noexcept {
  const auto found = records_.find(key);
  if (found == records_.end()) return;
  if (open()) write(found->second.place, 0, {});
  records_.erase(found);
}

std::uint64_t Mirror::bytes() const noexcept {
  std::uint64_t places = 1;
  for (const auto& [key, record] : records_) places = std::max(places, record.place + 1);
  return places * sizeof(Stored);
}

bool Mirror::was_removed() const noexcept {
  return !records_.empty() && ::access(file_.c_str(), F_OK) != 0;
}

void Mirror::rewrite() noexcept {
  close();
  if (!open()) return;
  for (const auto& [key, record] : records_) write(record.place, key, record.numbers);
  sync();
}

void Mirror::sync() noexcept {
  if (descriptor_) ::fdatasync(descriptor_.get());
}

}  // namespace sluice::queue
