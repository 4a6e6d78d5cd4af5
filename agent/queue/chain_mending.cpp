// SPDX-License-Identifier: Apache-2.0
// The part of a chain that finds damage and has it mended.
#include <algorithm>
#include <set>

#include "queue/chain.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

// Nothing in it: opened, it would be taken for a new one, and its write-ahead log removed.
bool is_emptied(const fs::path& file) {
  std::error_code none;
  return fs::is_regular_file(file, none) && fs::file_size(file, none) == 0;
}

}  // namespace

// Those with a file, and those that have lost theirs.
std::vector<std::uint64_t> Chain::known_numbers() const {
  const std::vector<std::uint64_t> recorded = records_.numbers();
  std::set<std::uint64_t> numbers(recorded.begin(), recorded.end());
  if (fs::exists(folder_)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      if (const auto number = number_of(entry.path().filename())) numbers.insert(*number);
    }
  }
  return {numbers.begin(), numbers.end()};
}

// By the mirror, and by its neighbours.
Remembered Chain::remembered(std::uint64_t number) const {
  Remembered remembered;
  remembered.first = std::max(last_, base_of(lane())) + 1;
  remembered.last = last_of(lane());
  for (const std::uint64_t later : records_.numbers()) {
    if (later <= number) continue;
    const std::uint64_t first = records_.find(later)->first;
    if (first > remembered.first) {
      remembered.last = first - 1;
      break;
    }
  }
  if (const auto record = records_.find(number)) {
    remembered.start = record->start;
    remembered.counts = record->counts;
    remembered.gone = record->gone;
  }
  return remembered;
}

// What is not the newest is closed afterwards.
void Chain::load(Segment& segment) {
  const bool newest = &segment == &segments_.back();
  const Remembered before = remembered(segment.number());
  if (const auto record = records_.find(segment.number())) last_ = std::max(last_, record->last);
  const fs::path log = sqlite::with_suffix(segment.file(), "-wal");
  try {
    if (!fs::exists(fs::symlink_status(segment.file()))) {
      mend(segment, before, "the file is missing");
    } else if (is_emptied(segment.file()) &&
               (before.counts.committed > 0 || (fs::exists(log) && !is_emptied(log)))) {
      mend(segment, before, "the file is empty");
    } else {
      newest ? segment.load(now_()) : segment.look(now_());
      if (segment.counts().committed < before.counts.committed) {
        segment.discard();
        mend(segment, before,
             "it holds less than was committed: its write-ahead log is missing or damaged, or the power "
             "failed "
             "with sync = \"normal\"");
      }
    }
  } catch (const sqlite::Error& error) {
    if (!error.is_damage()) throw;
    mend(segment, before, error.what());
  }
  records_.note(segment);
  if (!newest) segment.close();
}

bool Chain::mend(const fs::path& file, const std::string& reason) {
  const auto damaged = std::find_if(segments_.begin(), segments_.end(),
                                    [&](const Segment& segment) { return segment.file() == file; });
  if (damaged == segments_.end()) return false;
  Remembered remembered{damaged->counts(), damaged->first(), damaged->last(), damaged->last_start(),
                        damaged->gone()};
  mend(*damaged, remembered, reason);
  retire_empty();
  measure_newest();
  return true;
}

void Chain::mend_missing() {
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    Segment& segment = segments_[i];
    if (segment.last() != 0 && !fs::exists(fs::symlink_status(segment.file()))) {
      mend(segment.file(), "the file was removed");
    }
  }
}

void Chain::mend(Segment& segment, const Remembered& remembered, const std::string& reason) {
  const Moment now = now_();
  const fs::path file = segment.file();
  records_.break_seal(segment.number());
  try {
    const fs::path kept = quarantine_.keep(file, now.wall_ns);
    if (segment.is_open() && !fs::exists(kept)) segment.copy_to(kept);
    segment.close(false);
    const Mended mended = queue::mend(kept, file, segment.number(), limits(), remembered, now);
    quarantine_.report({"", file.string(), reason, now.wall_ns, mended.salvaged, mended.lost, false});
    quarantine_.limit(options_.max_bytes / 8);
    log_.error("{}: damaged, put aside in {}: {} messages could be read and are sent, {} are lost: {}",
               file.string(), kept.parent_path().string(), mended.salvaged, mended.lost, reason);
  } catch (...) {
    quarantine_.abandon();
    throw;
  }
  segment = Segment(file, segment.number(), limits());
  segment.load(now);
  records_.note(segment);
  records_.sync();
}

// What came out of a mending without a row carries counts only.
void Chain::retire_empty() {
  for (std::size_t i = 0; i < segments_.size();) {
    const bool newest = i + 1 == segments_.size();
    if (segments_[i].last() == 0 && (!newest || segments_[i].missing() > 0)) {
      retire(i, std::nullopt);
    } else {
      ++i;
    }
  }
}

}  // namespace sluice::queue
