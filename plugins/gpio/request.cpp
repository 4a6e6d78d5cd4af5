// SPDX-License-Identifier: Apache-2.0
#include "request.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

namespace sluice::gpio {
namespace {

std::uint32_t debounce_of(const Wanted& wanted) {
  return wanted.software_debounce ? 0 : static_cast<std::uint32_t>(wanted.line->debounce.count());
}

// How many attributes the lines need: one for each set of flags but the first, and so on.
struct Needs {
  std::set<std::uint64_t> flags;
  std::set<std::uint32_t> debounces;
  bool values = false;

  void add(const Wanted& wanted) {
    flags.insert(flags_of(wanted));
    if (debounce_of(wanted) > 0) debounces.insert(debounce_of(wanted));
    values = values || wanted.line->output;
  }
  std::size_t attributes() const { return flags.size() - 1 + debounces.size() + (values ? 1 : 0); }
};

}  // namespace

std::uint64_t flags_of(const Wanted& wanted) {
  const LineOptions& line = *wanted.line;
  std::uint64_t flags = line.output ? GPIO_V2_LINE_FLAG_OUTPUT : GPIO_V2_LINE_FLAG_INPUT;
  if (line.active_low) flags |= GPIO_V2_LINE_FLAG_ACTIVE_LOW;
  if (line.bias == Bias::disabled) flags |= GPIO_V2_LINE_FLAG_BIAS_DISABLED;
  if (line.bias == Bias::pull_up) flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_UP;
  if (line.bias == Bias::pull_down) flags |= GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN;
  if (line.output && line.drive == Drive::open_drain) flags |= GPIO_V2_LINE_FLAG_OPEN_DRAIN;
  if (line.output && line.drive == Drive::open_source) flags |= GPIO_V2_LINE_FLAG_OPEN_SOURCE;
  const Edges edges = wanted.software_debounce && line.edges != Edges::none ? Edges::both : line.edges;
  if (edges == Edges::rising || edges == Edges::both) flags |= GPIO_V2_LINE_FLAG_EDGE_RISING;
  if (edges == Edges::falling || edges == Edges::both) flags |= GPIO_V2_LINE_FLAG_EDGE_FALLING;
  return flags;
}

std::vector<std::vector<std::size_t>> make_groups(const std::vector<Wanted>& lines) {
  std::vector<std::vector<std::size_t>> groups;
  Needs needs;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Needs with = needs;
    with.add(lines[i]);
    const bool fits = !groups.empty() && groups.back().size() < GPIO_V2_LINES_MAX &&
                      with.attributes() <= GPIO_V2_LINE_NUM_ATTRS_MAX;
    if (!fits) {
      groups.emplace_back();
      with = Needs();
      with.add(lines[i]);
    }
    groups.back().push_back(i);
    needs = with;
  }
  return groups;
}

::gpio_v2_line_request make_request(const std::vector<Wanted>& lines, std::string_view consumer,
                                    std::uint32_t event_buffer) {
  ::gpio_v2_line_request request{};
  std::memcpy(request.consumer, consumer.data(), std::min(consumer.size(), sizeof(request.consumer) - 1));
  request.num_lines = static_cast<std::uint32_t>(lines.size());
  std::map<std::uint64_t, std::uint64_t> by_flags;  // which lines, as bits
  std::map<std::uint32_t, std::uint64_t> by_debounce;
  std::uint64_t outputs = 0;
  std::uint64_t values = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    request.offsets[i] = lines[i].offset;
    by_flags[flags_of(lines[i])] |= bit;
    if (const std::uint32_t debounce = debounce_of(lines[i]); debounce > 0) by_debounce[debounce] |= bit;
    if (lines[i].line->output) outputs |= bit;
    if (lines[i].line->output && lines[i].line->initial) values |= bit;
  }
  ::gpio_v2_line_config& config = request.config;
  const auto add = [&config](std::uint32_t id, std::uint64_t mask) -> ::gpio_v2_line_attribute& {
    ::gpio_v2_line_config_attribute& attribute = config.attrs[config.num_attrs++];
    attribute.mask = mask;
    attribute.attr.id = id;
    return attribute.attr;
  };
  config.flags = by_flags.begin()->first;
  for (auto at = std::next(by_flags.begin()); at != by_flags.end(); ++at) {
    add(GPIO_V2_LINE_ATTR_ID_FLAGS, at->second).flags = at->first;
  }
  for (const auto& [debounce, mask] : by_debounce)
    add(GPIO_V2_LINE_ATTR_ID_DEBOUNCE, mask).debounce_period_us = debounce;
  if (outputs != 0) add(GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES, outputs).values = values;
  const bool edges = std::any_of(lines.begin(), lines.end(),
                                 [](const Wanted& wanted) { return wanted.line->edges != Edges::none; });
  if (edges) request.event_buffer_size = event_buffer;
  return request;
}

}  // namespace sluice::gpio
