// SPDX-License-Identifier: Apache-2.0
#include "expiry.hpp"

#include <algorithm>

namespace sluice {

std::optional<std::chrono::seconds> remaining_expiry(const Delivery& delivery, const Clock& clock,
                                                     bool synchronised) {
  std::chrono::seconds expiry = delivery.options.expiry;
  const std::chrono::seconds asked = delivery.message->expiry;
  if (expiry.count() == 0 || (asked.count() > 0 && asked < expiry)) expiry = asked;
  if (expiry.count() == 0) return std::nullopt;
  const Time& time = delivery.message->time;
  Nanoseconds age(0);
  if (time.boot == clock.boot()) {
    age = clock.monotonic() - Nanoseconds(time.monotonic_ns);
  } else if (synchronised && time.mark != TimeMark::unsynchronised) {
    age = clock.wall() - Nanoseconds(time.wall_ns);
  }
  return std::chrono::ceil<std::chrono::seconds>(expiry - std::max(age, Nanoseconds(0)));
}

}  // namespace sluice
