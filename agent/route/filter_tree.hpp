// SPDX-License-Identifier: Apache-2.0
// Topic filters as a tree of levels: finds all that match a topic, at a cost that depends on the levels of the topic
// and on what matches. Filled by one owner; from then on safe from every thread.
//
// A node is a level of one or more filters. An only child by text, and the child for '+', stand in the node; several
// children are in a hash table that all nodes share, keyed by the parent and the text, so that a large tree stays
// compact: its speed is that of the memory that a search touches. A filter that ends in '#' stands with the node that it
// ends below.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "route/topic.hpp"

namespace sluice::route {

class FilterTree {
 public:
  /// The search goes as deep as the filters are: longer ones are refused. Brokers have the same limit.
  static constexpr std::size_t max_levels = 200;

  FilterTree();

  /// `filter` is valid, not shared, of at most max_levels, and stands for `id`. Each id is added once; they are small
  /// numbers: memory grows with the largest.
  void add(std::string_view filter, std::uint32_t id);

  /// Calls found(id) for each filter that matches the valid name `topic`, in no particular order. Answers the steps
  /// that it took.
  template <typename Found>
  std::size_t match(std::string_view topic, Found&& found) const {
    return descend(root, Levels(topic), topic.starts_with('$'), found);
  }

 private:
  using Index = std::uint32_t;
  static constexpr Index root = 0;
  static constexpr Index several = ~Index{0};
  static constexpr Index none = 0;  // of a node: the root is nobody's child; of an id: they are kept plus one

  // Half a cache line.
  struct alignas(32) Node {
    Index parent = none;
    Index plus = none;    // the child that stands for '+'
    Index child = none;   // the child by text where there is one; several: find them in slots_
    Index ending = none;  // the list of filters that end here
    Index below = none;   // the list of filters that end in '#' below here
    std::uint16_t text_bytes = 0;
    std::array<char, 10>
        text{};  // the level; where it is longer, it begins in texts_ at the number that stands here
  };
  // A list of filters: the id of its first plus one, and whether others follow in next_, which is seldom read so.
  static constexpr Index more = Index{1} << 31U;

  struct Slot {
    std::uint32_t hash = 0;
    Index node = none;
  };

  static std::uint64_t hash(Index parent, std::string_view text) {
    return (std::uint64_t{std::hash<std::string_view>()(text)} ^ parent) * 0x9E3779B97F4A7C15U;
  }

  template <typename Found>
  std::size_t descend(Index node, Levels levels, bool hidden, Found& found) const {
    std::size_t steps = 0;
    for (;; hidden = false) {
      ++steps;
      const Node& here = nodes_[node];
      if (!hidden) steps += each(here.below, found);
      std::string_view level;
      if (!levels.next(level)) return steps + each(here.ending, found);
      const Index plus = hidden ? none : here.plus;
      const Index child = find_child(node, level, steps);
      if (child == none && plus == none) return steps;
      if (child != none && plus != none) steps += descend(plus, levels, false, found);
      node = child != none ? child : plus;
    }
  }

  template <typename Found>
  std::size_t each(Index first, Found& found) const {
    std::size_t steps = 0;
    for (Index at = first; at != none; ++steps) {
      const Index id = (at & ~more) - 1;
      at = (at & more) != 0 ? next_[id] : none;
      found(id);
    }
    return steps;
  }

  Index find_child(Index parent, std::string_view text, std::size_t& steps) const {
    const Index only = nodes_[parent].child;
    if (only != several) {
      ++steps;
      return only != none && text_of(nodes_[only]) == text ? only : none;
    }
    const std::uint64_t hashed = hash(parent, text);
    const auto tag = static_cast<std::uint32_t>(hashed);
    for (auto at = static_cast<std::size_t>(hashed >> shift_);; at = (at + 1) & (slots_.size() - 1)) {
      ++steps;
      const Slot& slot = slots_[at];
      if (slot.node == none) return none;
      if (slot.hash == tag && is_child(nodes_[slot.node], parent, text)) return slot.node;
    }
  }
  bool is_child(const Node& node, Index parent, std::string_view text) const {
    return node.parent == parent && text_of(node) == text;
  }
  std::string_view text_of(const Node& node) const {
    if (node.text_bytes <= node.text.size()) return {node.text.data(), node.text_bytes};
    std::uint32_t at = 0;
    std::memcpy(&at, node.text.data(), sizeof at);
    return {texts_.data() + at, node.text_bytes};
  }

  void push_front(Index& list, std::uint32_t id);
  void set_text(Node& node, std::string_view text);
  Index make_child(Index parent, std::string_view text);
  void put_into_slots(Index node);
  void place(Index node);

  std::vector<Node> nodes_;
  std::vector<Slot> slots_;  // open addressing; its size is a power of two, at most three quarters taken
  std::size_t taken_slots_ = 0;
  unsigned shift_;           // the upper bits of a hash are the slot
  std::vector<Index> next_;  // by id: the rest of the list
  std::string texts_;        // of the levels that do not fit into their nodes, each once
  std::unordered_map<std::string, std::uint32_t> text_places_;  // where they begin
};

}  // namespace sluice::route
