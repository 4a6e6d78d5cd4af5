// SPDX-License-Identifier: Apache-2.0
#include "queue/mending.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "queue/salvage.hpp"
#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

constexpr const char* being_made = ".salvage";
constexpr const char* made = ".salvaged";
constexpr const char* in_use = ".sqlite";

// Writes rows in transactions of a size that does not need much memory.
class Copy {
 public:
  Copy(Segment& to, const Moment& now) : to_(to), now_(now) {}

  void add(std::uint64_t sequence, std::string_view data, std::uint64_t start) {
    constexpr std::size_t most_rows = 1000;
    constexpr std::size_t most_bytes = 256U << 10U;
    if (start != start_ || rows_.size() >= most_rows || data_bytes_ >= most_bytes) write();
    start_ = start;
    rows_.emplace_back(sequence, data);
    data_bytes_ += data.size();
    ++count_;
  }

  void write() {
    std::vector<Row> rows;
    rows.reserve(rows_.size());
    for (const auto& [sequence, data] : rows_) rows.push_back({sequence, data});
    to_.write(rows, start_, now_);
    rows_.clear();
    data_bytes_ = 0;
  }

  std::uint64_t count() const { return count_; }

 private:
  Segment& to_;
  const Moment now_;
  std::vector<std::pair<std::uint64_t, std::string>> rows_;
  std::size_t data_bytes_ = 0;
  std::uint64_t start_ = 0;
  std::uint64_t count_ = 0;
};

Counts later_of(const Counts& a, const Counts& b) {
  Counts later = a.gone() >= b.gone() ? a : b;
  later.committed = std::max(a.committed, b.committed);
  return later;
}

void take_place(const fs::path& fresh, const fs::path& place) {
  // An old log beside the fresh file would be taken for its own.
  sqlite::remove_files(place);
  fs::rename(fresh, place);
  sqlite::sync_directory(place.parent_path());
}

}  // namespace

Counts settle_counts(Counts counts, std::uint64_t salvaged) {
  for (const Way way :
       {Way::acknowledged, Way::quarantined, Way::dropped_by_user, Way::expired, Way::dead_lettered}) {
    const std::uint64_t room = counts.committed - std::min(counts.committed, counts.gone());
    if (room >= salvaged) break;
    counts[way] -= std::min(counts[way], salvaged - room);
  }
  counts.committed = std::max(counts.committed, counts.gone() + salvaged);
  counts[Way::quarantined] += counts.committed - counts.gone() - salvaged;
  return counts;
}

Mended mend(const fs::path& kept, const fs::path& place, std::uint64_t number, Segment::Limits limits,
            const Remembered& remembered, const Moment& now) {
  const fs::path building = fs::path(place).replace_extension(being_made);
  const fs::path whole = fs::path(place).replace_extension(made);
  sqlite::remove_files(building);
  if (!fs::exists(place.parent_path())) fs::create_directories(place.parent_path());

  const Salvage salvage(kept, {remembered.first, remembered.last});
  Counts counts = remembered.counts;
  Intervals gone = remembered.gone;
  if (salvage.state()) {
    counts = later_of(counts, salvage.state()->counts);
    for (const Interval& interval : salvage.state()->gone.list()) gone.add(interval.first, interval.last);
  }

  Segment fresh(building, number, limits);
  fresh.load(now);
  Copy copy(fresh, now);
  std::uint64_t rows = 0;
  salvage.read([&](std::uint64_t sequence, std::string_view data) {
    ++rows;
    if (gone.contains(sequence)) return;
    copy.add(sequence, data, salvage.start_of(sequence).value_or(remembered.start));
  });
  copy.write();
  counts.committed = std::max(counts.committed, rows);
  const std::uint64_t lost_before = counts[Way::quarantined];
  counts = settle_counts(counts, copy.count());
  fresh.take_over(counts);
  fresh.write_back();
  fresh.close();

  fs::rename(building, whole);
  sqlite::remove_files(building);
  sqlite::sync_directory(place.parent_path());
  take_place(whole, place);
  return {copy.count(), counts[Way::quarantined] - std::min(lost_before, counts[Way::quarantined])};
}

void finish_mending(const fs::path& folder) {
  std::vector<fs::path> whole;
  std::vector<fs::path> parts;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == made) whole.push_back(entry.path());
    if (extension.starts_with(being_made) && extension != made) parts.push_back(entry.path());
  }
  for (const fs::path& part : parts) fs::remove(part);
  for (const fs::path& fresh : whole) take_place(fresh, fs::path(fresh).replace_extension(in_use));
}

}  // namespace sluice::queue
