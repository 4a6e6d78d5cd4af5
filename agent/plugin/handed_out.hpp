// SPDX-License-Identifier: Apache-2.0
// The messages that a plugin was handed in one call, in the form of plugin.h, kept alive until the next. Owned
// by the host, for the thread of the instance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/message.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

class HandedOut {
 public:
  using Item = std::pair<std::uint64_t, Delivery>;  ///< the token, and what it names

  /// Forgets the messages before; pointers to them end here.
  void assign(std::vector<Item> items);

  std::size_t size() const { return messages_.size(); }
  const sluice_message* at(std::size_t index) const { return &messages_[index]; }
  sluice_array array() const { return {messages_.data(), messages_.size(), sizeof(sluice_message)}; }

 private:
  std::vector<Item> items_;
  std::vector<sluice_message> messages_;
  std::vector<sluice_sample> samples_;
  std::vector<sluice_pair> properties_;
};

}  // namespace sluice::plugin
