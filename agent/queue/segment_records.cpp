// SPDX-License-Identifier: Apache-2.0
#include "queue/segment_records.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

constexpr Mirror::Key keys_a_lane = Mirror::Key{1} << 48U;
constexpr Mirror::Key seal_bit = Mirror::Key{1} << 63U;
constexpr std::size_t numbers_a_record = std::tuple_size_v<Mirror::Numbers>;
constexpr std::int64_t second_ns = 1'000'000'000;

constexpr Mirror::Key first_key_of(Lane lane) {
  return ((base_of(lane) >> 60U) + 1) << 48U;
}

// A segment's record: first, last, start, committed, the ways out, pairs of intervals.
constexpr std::size_t ways_at = 4;
constexpr std::size_t intervals_at = ways_at + way_count;
constexpr std::size_t most_intervals = (numbers_a_record - intervals_at) / 2;

// Its seal: the checksum of the record it belongs to, the file, when the newest rows came, how many are missing, pairs of
// starts.
constexpr std::size_t file_at = 1;
constexpr std::size_t newest_at = file_at + 2;
constexpr std::size_t missing_at = newest_at + 4;
constexpr std::size_t starts_at = missing_at + 1;
constexpr std::size_t most_starts = (numbers_a_record - starts_at) / 2;

Mirror::Numbers numbers_of(const Segment& segment) {
  Mirror::Numbers numbers{segment.first(), segment.last(), segment.last_start(), segment.counts().committed};
  for (std::size_t i = 0; i < way_count; ++i) numbers[ways_at + i] = segment.counts().ways[i];
  std::vector<Interval> longest = segment.gone().list();
  const std::size_t kept = std::min(longest.size(), most_intervals);
  std::partial_sort(longest.begin(), longest.begin() + static_cast<std::ptrdiff_t>(kept), longest.end(),
                    [](const Interval& a, const Interval& b) { return a.last - a.first > b.last - b.first; });
  for (std::size_t i = 0; i < kept; ++i) {
    numbers[intervals_at + 2 * i] = longest[i].first;
    numbers[intervals_at + 2 * i + 1] = longest[i].last;
  }
  return numbers;
}

SegmentRecords::Record record_in(const Mirror::Numbers& numbers) {
  SegmentRecords::Record record{numbers[0], numbers[1], numbers[2], {}, {}};
  record.counts.committed = numbers[ways_at - 1];
  for (std::size_t i = 0; i < way_count; ++i) record.counts.ways[i] = numbers[ways_at + i];
  for (std::size_t at = intervals_at; at + 1 < numbers.size() && numbers[at + 1] != 0; at += 2) {
    record.gone.add(numbers[at], numbers[at + 1]);
  }
  return record;
}

// Of a file without a log.
struct FileState {
  std::uint64_t bytes = 0;
  std::int64_t changed_ns = 0;
};

std::optional<FileState> state_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  if (::access(sqlite::with_suffix(file, "-wal").c_str(), F_OK) == 0 || errno != ENOENT) return std::nullopt;
  return FileState{static_cast<std::uint64_t>(status.st_size),
                   status.st_ctim.tv_sec * second_ns + status.st_ctim.tv_nsec};
}

}  // namespace

bool is_settled(std::int64_t changed_ns, std::int64_t now_ns) {
  constexpr std::int64_t many_ticks_ns = second_ns / 10;
  return now_ns - changed_ns >= (changed_ns % second_ns == 0 ? 2 * second_ns : many_ticks_ns);
}

SegmentRecords::SegmentRecords(Mirror& mirror, Lane lane) : mirror_(mirror), first_key_(first_key_of(lane)) {}

std::vector<std::uint64_t> SegmentRecords::numbers() const {
  std::vector<std::uint64_t> numbers = mirror_.keys(first_key_, first_key_ + keys_a_lane - 1);
  for (std::uint64_t& number : numbers) number -= first_key_;
  return numbers;
}

std::optional<SegmentRecords::Record> SegmentRecords::find(std::uint64_t number) const {
  const auto numbers = mirror_.find(key_of(number));
  return numbers ? std::optional(record_in(*numbers)) : std::nullopt;
}

void SegmentRecords::note(const Segment& segment) {
  mirror_.put(key_of(segment.number()), numbers_of(segment));
}

void SegmentRecords::erase(std::uint64_t number) {
  mirror_.erase(std::array{key_of(number) | seal_bit, key_of(number)});
}

void SegmentRecords::seal(const Segment& segment, std::int64_t wall_ns) {
  const Mirror::Key key = key_of(segment.number()) | seal_bit;
  if (mirror_.contains(key) || segment.is_open() || !segment.is_written()) return;
  if (segment.starts().size() > most_starts || segment.gone().list().size() > most_intervals) return;
  const auto file = state_of(segment.file());
  if (!file || !is_settled(file->changed_ns, wall_ns)) return;
  note(segment);
  const Moment& newest = segment.newest();
  Mirror::Numbers numbers{Mirror::checksum_of(key_of(segment.number()), numbers_of(segment)),
                          file->bytes,
                          static_cast<std::uint64_t>(file->changed_ns),
                          static_cast<std::uint64_t>(newest.wall_ns),
                          static_cast<std::uint64_t>(newest.monotonic_ns),
                          newest.boot,
                          std::uint64_t{newest.synchronised},
                          segment.missing()};
  std::size_t at = starts_at;
  for (const auto& [first, start] : segment.starts()) {
    numbers[at++] = first;
    numbers[at++] = start;
  }
  mirror_.put(key, numbers);
}

void SegmentRecords::break_seals(std::span<const std::uint64_t> numbers) {
  std::vector<Mirror::Key> seals;
  for (const std::uint64_t number : numbers) seals.push_back(key_of(number) | seal_bit);
  mirror_.erase(seals);
}

bool SegmentRecords::recall(Segment& segment) const {
  const Mirror::Key key = key_of(segment.number());
  const auto sealed = mirror_.find(key | seal_bit);
  const auto recorded = mirror_.find(key);
  if (!sealed || !recorded) return false;
  const Mirror::Numbers& seal = *sealed;
  if (seal[0] != Mirror::checksum_of(key, *recorded)) return false;
  const auto file = state_of(segment.file());
  if (!file || file->bytes != seal[file_at] ||
      file->changed_ns != static_cast<std::int64_t>(seal[file_at + 1])) {
    return false;
  }
  const Record record = record_in(*recorded);
  Segment::Contents contents{record.first, record.last, record.counts, record.gone, {}, {}, seal[missing_at]};
  contents.newest = {static_cast<std::int64_t>(seal[newest_at]),
                     static_cast<std::int64_t>(seal[newest_at + 1]), seal[newest_at + 2],
                     seal[newest_at + 3] != 0};
  for (std::size_t at = starts_at; at + 1 < seal.size() && seal[at] != 0; at += 2) {
    contents.starts.emplace_back(seal[at], seal[at + 1]);
  }
  segment.recall(std::move(contents), file->bytes);
  return true;
}

}  // namespace sluice::queue
