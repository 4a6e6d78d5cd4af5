// SPDX-License-Identifier: Apache-2.0
#include "outbox.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

namespace serial {

Outbox::Outbox(sluice::Host host, std::size_t max_bytes)
    : host_(host),
      max_bytes_(max_bytes),
      dropped_(host.counter("dropped_frames")),
      refused_(host.counter("refused_frames")) {}

void Outbox::add(sluice::Message message, std::size_t bytes) {
  if (!messages_.empty() && bytes_ + bytes > max_bytes_) {
    ++dropped_;
    return;
  }
  messages_.push_back(std::move(message));
  sizes_.push_back(bytes);
  bytes_ += bytes;
}

void Outbox::flush() {
  while (!messages_.empty()) {
    std::size_t accepted = 0;
    const sluice::Status status = host_.emit(messages_, &accepted);
    taken(accepted);
    if (status != sluice::Status::Invalid) return;
    // One bad message holds up no others; the host has logged why.
    if (messages_.empty()) return;
    ++refused_;
    taken(1);
  }
}

void Outbox::drain() {
  for (flush(); waiting(); flush()) {
    if (!host_.wait(std::chrono::milliseconds(10))) return;
  }
}

void Outbox::taken(std::size_t count) {
  const auto end = static_cast<std::ptrdiff_t>(count);
  for (std::size_t index = 0; index < count; ++index) bytes_ -= sizes_[index];
  messages_.erase(messages_.begin(), messages_.begin() + end);
  sizes_.erase(sizes_.begin(), sizes_.begin() + end);
}

}  // namespace serial
