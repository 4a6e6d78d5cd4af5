// SPDX-License-Identifier: Apache-2.0
// A TCP port of the loopback interface that stays free for this process. For every thread.
#pragma once

#include <cstdint>

namespace sluice::test {

/// A port that nobody listens on, outside the range from which the kernel takes the ports of outgoing
/// connections, so that it can be closed and opened again; reserved against other tests until this process ends.
/// Throws std::runtime_error where there is none.
std::uint16_t free_port();

}  // namespace sluice::test
