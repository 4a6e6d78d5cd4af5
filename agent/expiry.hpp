// SPDX-License-Identifier: Apache-2.0
// How long a message that waits may still be delivered. For every thread.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.hpp"
#include "base/message.hpp"

namespace sluice {

/// What remains of the shorter of the two expiries, its route's and its own; nothing: none is set. Zero or less: it has
/// expired. `synchronised`: the wall clock is right; clocks that nobody has set prove no age.
std::optional<std::chrono::seconds> remaining_expiry(const Delivery& delivery, const Clock& clock,
                                                     bool synchronised);

}  // namespace sluice
