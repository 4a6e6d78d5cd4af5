// SPDX-License-Identifier: Apache-2.0
// Counts everything again and compares it with what the files say of themselves. For the storage thread.
#pragma once

#include "queue/segment.hpp"
#include "queue/state_file.hpp"
#include "queue/stats.hpp"

namespace sluice::queue {

/// With the totals of the segments that are gone.
Verification verify_totals(const StateFile& state);
/// Adds a segment that is there; it is open afterwards where it was before.
void verify_segment(Segment& segment, Verification& verification);
/// At the end: do the equations hold, of the messages and of the dead letters?
void verify_equation(Verification& verification);

}  // namespace sluice::queue
