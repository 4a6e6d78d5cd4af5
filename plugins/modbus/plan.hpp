// SPDX-License-Identifier: Apache-2.0
//
// Which requests read the tags of a unit: neighbours together, small gaps filled, within the limits of the protocol and
// of the device. Pure functions.
#pragma once

#include "tag.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice::modbus {

struct Limits {
  bool coalesce = true;  // false: a request for each tag
  std::uint16_t max_gap =
      8;  // registers that nobody asked for, read to save a request; for bits 16 times as many
  std::uint16_t max_registers = 125;
  std::uint16_t max_bits = 2000;
};

// One read. `tags` are indices into the tags of the unit, in the order of their addresses; each lies wholly inside.
struct Request {
  Kind kind = Kind::holding;
  std::uint16_t address = 0;
  std::uint16_t count = 0;
  std::vector<std::size_t> tags;
};

// Each tag is in exactly one request, and no value is split between two. A tag that is wider than the limit gets a
// request of its own.
std::vector<Request> make_plan(const std::vector<Tag>& tags, const Limits& limits);

// The two halves of a request of at least two tags, without the gap between them: to find the tag that a unit refuses.
std::pair<Request, Request> split(const Request& request, const std::vector<Tag>& tags);

// "holding 0..9 (function 3, 10 registers): flow, temperature"
std::string describe(const Request& request, const std::vector<Tag>& tags);

}  // namespace sluice::modbus
