// SPDX-License-Identifier: Apache-2.0
#include "queue/chain.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/packed.hpp"
#include "queue/verification.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

constexpr const char* extension = ".sqlite";

// What packed rows may add to a file and to its log: headers of rows and frames, pages half filled at both
// ends, and the state's page.
constexpr std::uint64_t grown_by(std::uint64_t packed_bytes) {
  return packed_bytes + packed_bytes / 4 + 16 * 4096;
}

}  // namespace

Chain::Chain(const Common& common, Lane lane)
    : Store(lane),
      options_(common.options),
      folder_(common.options.directory / name_of(lane)),
      state_(common.state),
      records_(common.mirror, lane),
      quarantine_(common.quarantine),
      losses_(common.losses),
      clocks_(common.clocks),
      now_(common.now),
      log_(common.log) {}

// "00000012.sqlite" -> 12.
std::optional<std::uint64_t> Chain::number_of(const fs::path& file) {
  if (file.extension() != extension) return std::nullopt;
  const std::string stem = file.stem().string();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (error != std::errc() || end != stem.data() + stem.size()) return std::nullopt;
  return number;
}

Segment::Limits Chain::limits() const {
  // A quarter of a segment, 4 MiB at most: what is gone before it is written back was written once only.
  constexpr std::uint64_t most = 1000;
  const std::uint64_t pages = options_.segment_bytes() / static_cast<std::uint64_t>(sqlite::page_bytes) / 4;
  return {options_.sync, static_cast<int>(std::min(most, pages))};
}

std::uint64_t Chain::grown_bytes() const {
  return static_cast<std::uint64_t>(limits().checkpoint_pages) *
         static_cast<std::uint64_t>(sqlite::page_bytes) * 3 / 4;
}

fs::path Chain::path_of(std::uint64_t number) const {
  constexpr std::size_t digits = 8;
  const std::string text = std::to_string(number);
  std::string name(digits - std::min(digits, text.size()), '0');
  name += text;
  name += extension;
  return folder_ / name;
}

void Chain::load() {
  segments_.clear();
  newest_is_full_ = false;
  last_ = 0;
  take_dropped();
  for (const StateFile::Retired& retired : std::vector(state_.unfinished())) {
    if (retired.lane == name_of(lane())) unlink(retired.number);
  }
  if (fs::exists(folder_)) finish_mending(folder_);
  for (const std::uint64_t number : known_numbers())
    segments_.emplace_back(path_of(number), number, limits());
  std::vector<std::uint64_t> changed;
  for (Segment& segment : segments_) {
    if (&segment == &segments_.back() || !records_.recall(segment)) changed.push_back(segment.number());
  }
  records_.break_seals(changed);
  for (Segment& segment : segments_) {
    if (std::binary_search(changed.begin(), changed.end(), segment.number())) load(segment);
    last_ = std::max(last_, segment.last());
  }
  retire_empty();
  measure_newest();
}

void Chain::measure_newest() {
  newest_is_full_ = !segments_.empty() && segments_.back().full_bytes() >= options_.segment_bytes();
}

void Chain::reload(bool doubtful) {
  for (const StateFile::Retired& retired : std::vector(state_.unfinished())) {
    if (retired.lane != name_of(lane()) || retired.removed) continue;
    std::erase_if(segments_, [&](const Segment& segment) { return segment.number() == retired.number; });
    unlink(retired.number);
  }
  // Rows go into the newest only; of the others memory knows everything.
  if (!segments_.empty()) {
    records_.break_seal(segments_.back().number());
    segments_.back().load(now_());
    if (doubtful) segments_.back().write_back();
    last_ = std::max(last_, segments_.back().last());
    records_.note(segments_.back());
  }
  measure_newest();
}

Segment* Chain::find(std::uint64_t sequence) {
  const auto at = std::partition_point(
      segments_.begin(), segments_.end(),
      [sequence](const Segment& segment) { return segment.last() != 0 && segment.last() < sequence; });
  return at != segments_.end() && at->first() != 0 && at->first() <= sequence ? &*at : nullptr;
}

Segment& Chain::writable() {
  if (!segments_.empty()) {
    Segment& newest = segments_.back();
    // So that age takes the old ones in steps of a sixteenth, however slowly a segment fills.
    const bool old = options_.max_age.count() > 0 && newest.oldest_written() &&
                     too_old(*newest.oldest_written(), options_.max_age / 16);
    if (!newest_is_full_ && !old) return newest;
    save(newest, true);
    records_.sync();
  }
  if (!fs::exists(folder_)) {
    fs::create_directories(folder_);
    sqlite::sync_directory(folder_.parent_path());
    sqlite::sync_directory(folder_.parent_path().parent_path());
  }
  const std::uint64_t highest = segments_.empty() ? 0 : segments_.back().number();
  const std::uint64_t number = std::max(highest, state_.values().last_segment) + 1;
  newest_is_full_ = false;
  return segments_.emplace_back(path_of(number), number, limits());
}

std::uint64_t Chain::bytes_with(std::uint64_t packed_bytes) const {
  const std::uint64_t grown = packed_bytes == 0 ? 0 : grown_by(packed_bytes);
  std::uint64_t total = grown;
  for (const Segment& segment : segments_) {
    // What is in the log only will be in the file as well, once it is written back.
    const std::uint64_t written_back = segment.full_bytes() + grown +
                                       static_cast<std::uint64_t>(limits().checkpoint_pages) *
                                           static_cast<std::uint64_t>(sqlite::page_bytes);
    total += std::max(segment.bytes(), &segment == &segments_.back() ? written_back : 0);
  }
  return total;
}

std::uint64_t Chain::droppable_bytes() const {
  return segments_.empty() ? 0 : bytes() - segments_.back().bytes();
}

bool Chain::drop_oldest(Limit limit) {
  if (segments_.empty()) return false;
  drop(0, limit);
  return true;
}

// Not for a few rows: a link that comes and goes would leave a crowd of files.
void Chain::begin_edge() {
  if (!segments_.empty() && segments_.back().counts().stored() > 0 &&
      segments_.back().full_bytes() >= options_.segment_bytes() / 16) {
    newest_is_full_ = true;
  }
}

void Chain::write(std::span<const Row> rows, std::uint64_t start) {
  if (rows.empty()) return;
  Segment& newest = writable();
  limit_open(&newest);
  records_.break_seal(newest.number());
  newest.write(rows, start, now_());
  last_ = newest.last();
  records_.note(newest);
  measure_newest();
}

std::uint64_t Chain::settle(std::uint64_t first, std::uint64_t last, Way way) {
  std::uint64_t settled = 0;
  while (first <= last) {
    Segment* segment = find(first);
    if (segment == nullptr) {
      // Before, between or after the segments: gone already, or never written. The next one that holds some.
      const auto next = std::partition_point(segments_.begin(), segments_.end(), [first](const Segment& s) {
        return s.first() == 0 || s.first() < first;
      });
      if (next == segments_.end() || next->first() > last) return settled;
      first = next->first();
      continue;
    }
    const std::uint64_t end = std::min(last, segment->last());
    settled += segment->settle(first, end, way);
    first = end + 1;
  }
  return settled;
}

void Chain::save(bool durable) {
  for (Segment& segment : segments_) {
    if (segment.unsaved()) save(segment, durable);
  }
  if (!durable || segments_.empty()) return;
  const std::int64_t wall_ns = now_().wall_ns;
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) records_.seal(segments_[i], wall_ns);
}

void Chain::save(Segment& segment, bool durable) {
  limit_open(&segment);
  records_.break_seal(segment.number());
  segment.save(durable);
  records_.note(segment);
}

void Chain::finish() {
  for (Segment& segment : segments_) {
    if (!segment.is_written()) save(segment, true);
  }
}

std::uint64_t Chain::unsaved_sequences() const {
  std::uint64_t sum = 0;
  for (const Segment& segment : segments_) sum += segment.unsaved_sequences();
  return sum;
}

std::uint64_t Chain::settle_all(Way way) {
  std::uint64_t settled = 0;
  for (Segment& segment : segments_) settled += segment.settle_all(way);
  return settled;
}

void Chain::retire_finished() {
  for (std::size_t i = 0; i < segments_.size();) {
    const Segment& segment = segments_[i];
    const bool newest = i + 1 == segments_.size();
    const bool made_in_vain = segment.last() == 0 && !newest;
    const bool gone = segment.last() != 0 && segment.counts().stored() == 0;
    if (made_in_vain || (gone && (!newest || newest_is_full_ || segment.bytes() >= grown_bytes()))) {
      retire(i, std::nullopt);
    } else {
      ++i;
    }
  }
}

void Chain::drop_old() {
  if (options_.max_age.count() == 0) return;
  for (std::size_t i = 0; i < segments_.size();) {
    if (segments_[i].counts().stored() != 0 && too_old(segments_[i].newest(), options_.max_age)) {
      drop(i, Limit::max_age);
    } else {
      ++i;
    }
  }
}

void Chain::drop(std::size_t index, Limit limit) {
  Segment& segment = segments_[index];
  const std::uint64_t count = segment.counts().stored();
  const Interval range{segment.first(), segment.last()};
  if (count > 0) {
    losses_.add(loss_of(segment, limit));
    log_.warn("{}: {} messages dropped, {} was reached: the oldest segment went, up to sequence {}",
              options_.name, count, name_of(limit), range.last);
  }
  retire(index, limit == Limit::max_age ? Way::dropped_by_age : Way::dropped_by_size);
  note_dropped(range);
}

// What upstream is told of it.
Loss Chain::loss_of(Segment& segment, Limit limit) {
  Loss loss;
  loss.limit = limit;
  std::vector<StoredRow> rows;
  try {
    limit_open(&segment);
    constexpr std::size_t at_once = 1000;
    constexpr std::size_t at_once_bytes = 256U << 10U;
    for (bool end = false; !end;) {
      const std::uint64_t after = rows.empty() ? 0 : rows.back().sequence;
      rows.clear();
      end = segment.read(after, at_once, at_once_bytes, rows);
      for (const StoredRow& row : rows) {
        const Delivery delivery = unpack(row.data);
        add_to(loss, delivery.topic(), delivery.message->time.wall_ns);
      }
    }
  } catch (const std::runtime_error&) {
    // It goes, readable or not.
    loss.filter.assign(1, '#');
  }
  loss.count = segment.counts().stored();
  return loss;
}

// `rest`: the way that what is still stored goes.
void Chain::retire(std::size_t index, std::optional<Way> rest) {
  Segment& segment = segments_[index];
  Counts counts = segment.counts();
  if (rest) counts[*rest] += counts.stored();
  const std::uint64_t number = segment.number();
  state_.retire(lane(), number, counts, last_ == 0 ? 0 : last_ + 1 - base_of(lane()), losses_.all());
  segment.close(false);
  // Only what was the newest all along takes rows: older ones have been written back.
  if (index + 1 == segments_.size()) newest_is_full_ = true;
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(index));
  unlink(number);
}

void Chain::unlink(std::uint64_t number) {
  sqlite::remove_files(path_of(number));
  if (fs::exists(folder_)) sqlite::sync_directory(folder_);
  // Before the state forgets that it is gone: a segment in the mirror without a file is a loss.
  records_.erase(number);
  state_.removed(lane(), number);
}

bool Chain::read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes,
                 std::vector<StoredRow>& out) {
  const std::size_t before = out.size();
  std::size_t bytes = 0;
  for (Segment& segment : segments_) {
    if (segment.last() <= after || segment.counts().stored() == 0) continue;
    const std::size_t rows = out.size() - before;
    if (rows >= max_rows || bytes >= max_bytes) return false;
    limit_open(&segment);
    const std::size_t from = out.size();
    if (!segment.read(after, max_rows - rows, max_bytes - bytes, out)) return false;
    for (std::size_t i = from; i < out.size(); ++i) bytes += out[i].data.size();
  }
  return true;
}

std::optional<StoredRow> Chain::read_one(std::uint64_t sequence) {
  Segment* segment = find(sequence);
  if (segment == nullptr) return std::nullopt;
  limit_open(segment);
  return segment->read_one(sequence);
}

// Each open file costs memory: the newest, the one in use and those next to it in age may stay open.
void Chain::limit_open(const Segment* used) {
  std::size_t others = 0;
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    if (segment == segments_.rbegin() || &*segment == used || !segment->is_open()) continue;
    if (++others > max_open - 2) segment->close();
  }
}

bool Chain::too_old(const Moment& moment, Nanoseconds limit) const {
  return is_older_than(moment, now_(), clocks_, limit);
}

void Chain::close() {
  for (Segment& segment : segments_) segment.close();
}

Counts Chain::counts() const {
  Counts counts;
  for (const Segment& segment : segments_) counts += segment.counts();
  return counts;
}

std::vector<std::uint64_t> Chain::parts() const {
  std::vector<std::uint64_t> numbers;
  for (const Segment& segment : segments_) numbers.push_back(segment.number());
  return numbers;
}

void Chain::verify(std::uint64_t part, Verification& verification, bool may_mend) {
  for (Segment& segment : segments_) {
    if (segment.number() != part) continue;
    try {
      verify_segment(segment, verification);
    } catch (const sqlite::Error& error) {
      if (error.is_damage()) verification.differences.emplace_back(error.what());
      throw;
    }
    const std::string found = verification.segments.back().quick_check;
    if (found != "ok" && may_mend) mend(segment.file(), found);
    return;
  }
}

std::uint64_t Chain::bytes() const {
  std::uint64_t bytes = 0;
  for (const Segment& segment : segments_) bytes += segment.bytes();
  return bytes;
}

}  // namespace sluice::queue
