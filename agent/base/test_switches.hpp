// SPDX-License-Identifier: Apache-2.0
// Switches for tests of the whole program, on a machine that is theirs: how to make it fail in ways that it never should.
// They are in every build, so that what is tested is what ships, and are taken from the environment:
//
//   SLUICE_TEST_STALL=storage:10    the storage thread (or: session) hangs for ever, 10 s after its first turn
//   SLUICE_TEST_SYNC=off            nothing is forced to the disk: a power cut loses what was called committed
//
// Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::test_switches {

/// To be called by that thread at each turn of its loop. Never returns once the time has come.
void stall(std::string_view thread);

bool sync_is_off();

/// What is set, as "NAME=value", to be logged loudly.
std::vector<std::string> in_force();

}  // namespace sluice::test_switches
