// SPDX-License-Identifier: Apache-2.0
//
// Lines as the kernel wants to be asked for them: few requests of many lines, since one reads and sets all its lines at once.
// Pure functions.
#pragma once

#include "options.hpp"

#include <linux/gpio.h>

#include <cstddef>
#include <string_view>
#include <vector>

namespace sluice::gpio {

// A line to be requested: its options, and where it was found.
struct Wanted {
  const LineOptions* line;
  std::uint32_t offset;
  bool software_debounce = false;  // asked for without debounce, but with both edges
};

// Which of `lines` go into one request, by index: as many as its 64 lines and 10 attributes can say.
std::vector<std::vector<std::size_t>> make_groups(const std::vector<Wanted>& lines);

::gpio_v2_line_request make_request(const std::vector<Wanted>& lines, std::string_view consumer,
                                    std::uint32_t event_buffer);

// GPIO_V2_LINE_FLAG_... of one line.
std::uint64_t flags_of(const Wanted& wanted);

}  // namespace sluice::gpio
