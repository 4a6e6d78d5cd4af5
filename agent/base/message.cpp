// SPDX-License-Identifier: Apache-2.0
#include "base/message.hpp"

namespace sluice {
namespace {

// What the heap adds to every block, and the control block of a shared_ptr.
constexpr std::size_t block_overhead_bytes = 16;
constexpr std::size_t control_block_bytes = 16;

std::size_t heap_bytes(const std::string& text) {
  constexpr std::size_t inside_the_object = 15;
  return text.capacity() > inside_the_object ? text.capacity() + 1 + block_overhead_bytes : 0;
}

std::size_t heap_bytes(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return heap_bytes(*text);
  if (const auto* bytes = std::get_if<Bytes>(&value)) return heap_bytes(bytes->data);
  return 0;
}

}  // namespace

std::size_t footprint(const Delivery& delivery) {
  const Message& message = *delivery.message;
  std::size_t bytes = sizeof(Delivery) + sizeof(Message) + control_block_bytes + block_overhead_bytes +
                      heap_bytes(delivery.rewritten_topic) + heap_bytes(message.topic) +
                      heap_bytes(message.input) + heap_bytes(message.content_type) +
                      heap_bytes(message.response_topic) + heap_bytes(message.correlation_data) +
                      message.samples.capacity() * sizeof(Sample) +
                      message.user_properties.capacity() * sizeof(Property);
  for (const Sample& sample : message.samples) {
    bytes += heap_bytes(sample.name) + heap_bytes(sample.value) + heap_bytes(sample.error);
  }
  for (const Property& property : message.user_properties) {
    bytes += heap_bytes(property.first) + heap_bytes(property.second);
  }
  if (message.payload) bytes += heap_bytes(*message.payload);
  return bytes;
}

}  // namespace sluice
