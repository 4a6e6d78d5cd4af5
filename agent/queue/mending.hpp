// SPDX-License-Identifier: Apache-2.0
// Replaces a damaged segment by a fresh one of the same number that holds the rows that could be read and had not been
// acknowledged, with their sequences and starts, and stands for the rest in the ledger: what is neither there nor gone
// by another way is quarantined. A function on files, for the storage thread.
//
// A crash at any moment changes nothing or is finished at the next start: the fresh segment is built as NUMBER.salvage,
// becomes NUMBER.salvaged when it is whole, and only then takes the place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "queue/intervals.hpp"
#include "queue/ledger.hpp"
#include "queue/segment.hpp"

namespace sluice::queue {

/// What is known of the damaged segment, beside what stands in its own file.
struct Remembered {
  Counts counts;
  std::uint64_t first = 0;  ///< of its rows, or the lowest that it could be
  std::uint64_t last = 0;
  std::uint64_t start = 0;  ///< of the last rows; 0: not known
  Intervals gone;           ///< added to what the file says
};

struct Mended {
  std::uint64_t salvaged = 0;
  std::uint64_t lost = 0;
};

/// `kept` is the damaged file where it lies now, `place` where it was. Throws where the disk refuses.
Mended mend(const std::filesystem::path& kept, const std::filesystem::path& place, std::uint64_t number,
            Segment::Limits limits, const Remembered& remembered, const Moment& now);

/// The ledger of what was put aside and what was salvaged of it, together: what is stored again has not left, and what is
/// neither stored nor gone is quarantined.
Counts settle_counts(Counts counts, std::uint64_t salvaged);

/// Finishes what a crash has left of a mending of the segments in `folder`.
void finish_mending(const std::filesystem::path& folder);

}  // namespace sluice::queue
