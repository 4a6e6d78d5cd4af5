// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace sluice::modbus {
namespace {

// The request that reads tags[first] ... tags[last - 1], which are in the order of their addresses.
Request covering(std::vector<std::size_t> indices, const std::vector<Tag>& tags) {
  Request request;
  request.kind = tags[indices.front()].kind;
  request.address = tags[indices.front()].address;
  std::uint32_t end = 0;
  for (const std::size_t index : indices) end = std::max(end, tags[index].end());
  request.count = static_cast<std::uint16_t>(end - request.address);
  request.tags = std::move(indices);
  return request;
}

}  // namespace

std::vector<Request> make_plan(const std::vector<Tag>& tags, const Limits& limits) {
  std::vector<std::size_t> order(tags.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(tags[a].kind, tags[a].address) < std::tuple(tags[b].kind, tags[b].address);
  });

  std::vector<Request> plan;
  std::vector<std::size_t> open;
  std::uint32_t end = 0;  // of what `open` covers
  for (const std::size_t index : order) {
    const Tag& tag = tags[index];
    if (!open.empty()) {
      const Tag& first = tags[open.front()];
      const std::uint32_t gap = tag.in_bits() ? limits.max_gap * 16u : limits.max_gap;
      const std::uint32_t most = tag.in_bits() ? limits.max_bits : limits.max_registers;
      const bool joins = limits.coalesce && tag.kind == first.kind && tag.address <= end + gap &&
                         std::max(end, tag.end()) - first.address <= most;
      if (!joins) {
        plan.push_back(covering(std::move(open), tags));
        open.clear();
        end = 0;
      }
    }
    open.push_back(index);
    end = std::max(end, tag.end());
  }
  if (!open.empty()) plan.push_back(covering(std::move(open), tags));
  return plan;
}

std::pair<Request, Request> split(const Request& request, const std::vector<Tag>& tags) {
  const auto middle = request.tags.begin() + static_cast<std::ptrdiff_t>(request.tags.size() / 2);
  return {covering({request.tags.begin(), middle}, tags), covering({middle, request.tags.end()}, tags)};
}

std::string describe(const Request& request, const std::vector<Tag>& tags) {
  const bool bits = request.kind == Kind::coil || request.kind == Kind::discrete;
  std::string text = name_of(request.kind);
  text += ' ' + std::to_string(request.address);
  if (request.count > 1) text += ".." + std::to_string(request.address + request.count - 1);
  text += " (function " + std::to_string(static_cast<int>(request.kind)) + ", " +
          std::to_string(request.count) + (bits ? " bit" : " register") + (request.count == 1 ? "" : "s") +
          "): ";
  for (std::size_t i = 0; i < request.tags.size(); ++i) {
    if (i > 0) text += ", ";
    text += tags[request.tags[i]].name;
  }
  return text;
}

}  // namespace sluice::modbus
