// SPDX-License-Identifier: Apache-2.0
//
// Messages on their way to the agent. While the agent has no room they wait here, in order, so that the port is read on:
// the kernel keeps 4 KiB of a port, and drops the rest without a word. When this is full too, new ones are dropped and
// counted. Owned by the loop of one instance.
#pragma once

#include <sluice/host.hpp>

#include <cstddef>
#include <vector>

namespace serial {

class Outbox {
 public:
  // Counts in the host's `dropped_frames` what found no room, in `refused_frames` what the host took for invalid.
  Outbox(sluice::Host host, std::size_t max_bytes);

  // `bytes` is what the message counts for.
  void add(sluice::Message message, std::size_t bytes);
  // Hands over what the agent takes now.
  void flush();
  // Is something waiting? Then flush again soon.
  bool waiting() const { return !messages_.empty(); }
  // Hands over all, and waits for room; returns early where the instance is to end.
  void drain();

 private:
  void taken(std::size_t count);

  const sluice::Host host_;
  const std::size_t max_bytes_;
  const sluice::Counter dropped_;
  const sluice::Counter refused_;
  std::vector<sluice::Message> messages_;
  std::vector<std::size_t> sizes_;  // of each of them
  std::size_t bytes_ = 0;           // the sum of those
};

}  // namespace serial
