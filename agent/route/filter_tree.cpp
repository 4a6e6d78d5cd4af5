// SPDX-License-Identifier: Apache-2.0
#include "route/filter_tree.hpp"

#include <bit>
#include <utility>

namespace sluice::route {
namespace {

constexpr std::size_t first_slots = 16;
constexpr unsigned hash_bits = 64;

unsigned shift_for(std::size_t slots) {
  return hash_bits - static_cast<unsigned>(std::countr_zero(slots));
}

}  // namespace

FilterTree::FilterTree() : nodes_(1), slots_(first_slots), shift_(shift_for(first_slots)) {}

void FilterTree::add(std::string_view filter, std::uint32_t id) {
  if (next_.size() <= id) next_.resize(id + std::size_t{1}, none);
  Index node = root;
  Levels levels(filter);
  for (std::string_view level; levels.next(level);) {
    if (level == "#") {
      push_front(nodes_[node].below, id);
      return;
    }
    std::size_t steps = 0;
    Index child = level == "+" ? nodes_[node].plus : find_child(node, level, steps);
    if (child == none) child = make_child(node, level);
    node = child;
  }
  push_front(nodes_[node].ending, id);
}

void FilterTree::push_front(Index& list, std::uint32_t id) {
  next_[id] = list;
  list = (id + 1) | (list == none ? none : more);
}

void FilterTree::set_text(Node& node, std::string_view text) {
  node.text_bytes = static_cast<std::uint16_t>(text.size());
  if (text.size() <= node.text.size()) {
    text.copy(node.text.data(), text.size());
    return;
  }
  const auto [place, is_new] = text_places_.try_emplace(std::string(text), texts_.size());
  if (is_new) texts_ += text;
  std::memcpy(node.text.data(), &place->second, sizeof place->second);
}

FilterTree::Index FilterTree::make_child(Index parent, std::string_view text) {
  const auto child = static_cast<Index>(nodes_.size());
  Node node;
  node.parent = parent;
  if (text != "+") set_text(node, text);
  nodes_.push_back(node);
  if (text == "+") {
    nodes_[parent].plus = child;
  } else if (nodes_[parent].child == none) {
    nodes_[parent].child = child;
  } else {
    const Index first = std::exchange(nodes_[parent].child, several);
    if (first != several) put_into_slots(first);
    put_into_slots(child);
  }
  return child;
}

void FilterTree::put_into_slots(Index node) {
  if (++taken_slots_ * 4 > slots_.size() * 3) {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    shift_ = shift_for(slots_.size());
    for (const Slot& slot : old) {
      if (slot.node != none) place(slot.node);
    }
  }
  place(node);
}

void FilterTree::place(Index node) {
  const Node& placed = nodes_[node];
  const std::uint64_t hashed = hash(placed.parent, text_of(placed));
  auto at = static_cast<std::size_t>(hashed >> shift_);
  while (slots_[at].node != none) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {static_cast<std::uint32_t>(hashed), node};
}

}  // namespace sluice::route
