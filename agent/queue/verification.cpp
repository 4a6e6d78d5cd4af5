// SPDX-License-Identifier: Apache-2.0
#include "queue/verification.hpp"

#include <string>

namespace sluice::queue {

Verification verify_totals(const StateFile& state) {
  Verification verification;
  const Counts& retired = state.values().retired;
  verification.ledger.counts = retired;
  if (retired.gone() != retired.committed) {
    verification.differences.push_back("state.sqlite: of the segments that are gone, " +
                                       std::to_string(retired.committed) + " messages were committed, but " +
                                       std::to_string(retired.gone()) + " have left");
  }
  return verification;
}

void verify_segment(Segment& segment, Verification& verification) {
  const bool was_open = segment.is_open();
  const Segment::Recount recount = segment.recount();
  if (!was_open) segment.close();
  const Counts& kept = segment.counts();
  const std::string file = segment.file().string();
  verification.segments.push_back({file, recount.quick_check, kept, recount.rows, recount.gone});
  verification.ledger.counts += kept;
  verification.ledger.stored += recount.rows - recount.gone;
  if (recount.quick_check != "ok") {
    verification.differences.push_back(file + ": damaged: " + recount.quick_check);
  }
  // What is missing has been counted, and has left.
  const std::uint64_t rows = recount.rows + segment.missing();
  const std::uint64_t gone = recount.gone + segment.missing();
  if (rows != kept.committed) {
    verification.differences.push_back(file + ": says " + std::to_string(kept.committed) + " messages, has " +
                                       std::to_string(rows));
  }
  if (gone != kept.gone()) {
    verification.differences.push_back(file + ": says that " + std::to_string(kept.gone()) +
                                       " messages have left, but " + std::to_string(gone) + " have");
  }
}

void verify_equation(Verification& verification) {
  const LetterCounts& letters = verification.letters;
  if (!letters.balanced()) {
    verification.differences.push_back("dead letters: " + std::to_string(letters.added) +
                                       " were put there, but " + std::to_string(letters.gone()) +
                                       " have gone and " + std::to_string(letters.kept) + " are there");
  }
  const Ledger& ledger = verification.ledger;
  if (ledger.balanced()) return;
  verification.differences.push_back("committed " + std::to_string(ledger.counts.committed) + " is not " +
                                     std::to_string(ledger.counts.gone()) + " gone and " +
                                     std::to_string(ledger.stored) + " stored");
}

}  // namespace sluice::queue
