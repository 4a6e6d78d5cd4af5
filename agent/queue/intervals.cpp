// SPDX-License-Identifier: Apache-2.0
#include "queue/intervals.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace sluice::queue {
namespace {

void put(std::string& out, std::uint64_t number) {
  while (number >= 0x80) {
    out.push_back(static_cast<char>(number | 0x80));
    number >>= 7U;
  }
  out.push_back(static_cast<char>(number));
}

std::uint64_t get(std::string_view& in) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(in.front());
    in.remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return number;
  }
  throw std::runtime_error("acknowledged intervals: a number without an end");
}

}  // namespace

std::uint64_t Intervals::add(std::uint64_t first, std::uint64_t last) {
  // The usual case: the next ones, in order.
  if (!list_.empty() && first == list_.back().last + 1) {
    list_.back().last = last;
    return last - first + 1;
  }
  // All that overlap or touch become one.
  const auto from = std::partition_point(list_.begin(), list_.end(),
                                         [first](const Interval& i) { return i.last + 1 < first; });
  auto to = from;
  std::uint64_t fresh = last - first + 1;
  Interval merged{first, last};
  for (; to != list_.end() && to->first <= last + 1; ++to) {
    const std::uint64_t overlap_first = std::max(to->first, first);
    const std::uint64_t overlap_last = std::min(to->last, last);
    if (overlap_first <= overlap_last) fresh -= overlap_last - overlap_first + 1;
    merged.first = std::min(merged.first, to->first);
    merged.last = std::max(merged.last, to->last);
  }
  if (from == to) {
    list_.insert(from, merged);
  } else {
    *from = merged;
    list_.erase(std::next(from), to);
  }
  return fresh;
}

bool Intervals::contains(std::uint64_t sequence) const {
  return next_outside(sequence) != sequence;
}

std::uint64_t Intervals::next_outside(std::uint64_t sequence) const {
  const auto at = std::partition_point(list_.begin(), list_.end(),
                                       [sequence](const Interval& i) { return i.last < sequence; });
  return at != list_.end() && at->first <= sequence ? at->last + 1 : sequence;
}

std::string Intervals::pack() const {
  std::string out;
  std::uint64_t at = 0;
  for (const Interval& interval : list_) {
    put(out, interval.first - at);
    put(out, interval.last - interval.first);
    at = interval.last;
  }
  return out;
}

Intervals Intervals::unpack(std::string_view bytes) {
  Intervals read;
  std::uint64_t at = 0;
  while (!bytes.empty()) {
    const std::uint64_t first = at + get(bytes);
    const std::uint64_t last = first + get(bytes);
    if (last < first || first < at) throw std::runtime_error("acknowledged intervals: out of range");
    read.add(first, last);
    at = last;
  }
  return read;
}

}  // namespace sluice::queue
