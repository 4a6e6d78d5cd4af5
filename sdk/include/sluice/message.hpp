// SPDX-License-Identifier: Apache-2.0
//
// A message on its way out of an instance. Built by chained calls, emitted by Host::emit:
//
//   host.emit(Message().placeholder("tag", "t1").sample("value", 21.5));
//
// Owns all its text, so nothing that is passed in has to outlive the call. One thread at a time. It allocates
// one block for all text and one for each kind of list that is used; clear() keeps them, so that a message
// that is used again and again allocates nothing.
#pragma once

#include <sluice/value.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

class Message {
 public:
  Message() noexcept { raw_.size = sizeof(raw_); }
  Message(const Message& other) : Message() { copy(other); }
  Message(Message&& other) noexcept : Message() { swap(other); }
  Message& operator=(const Message& other) {
    if (this != &other) {
      Message fresh(other);
      swap(fresh);
    }
    return *this;
  }
  Message& operator=(Message&& other) noexcept {
    Message taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Message() = default;

  // Names are unique in a message, and not ts, quality, error, id, time or encoding. With one sample of a message, the
  // payload is
  // {"ts":…,"value":…} whatever its name; with several, each stands under its name.
  template <class T>
  Message& sample(std::string_view name, const T& value, Quality quality = Quality::Good,
                  std::string_view error = {}) {
    return add(name, abi::to_c(value), quality, error);
  }
  Message& sample(const Sample& sample) {
    return add(sample.name, abi::to_c(sample.value), sample.quality, sample.error);
  }
  // A sample that could not be read.
  Message& bad(std::string_view name, std::string_view why) {
    return add(name, abi::value_of(SLUICE_NONE), Quality::Bad, why);
  }
  // The last value that could be read.
  template <class T>
  Message& stale(std::string_view name, const T& value, std::string_view why) {
    return add(name, abi::to_c(value), Quality::Stale, why);
  }

  // The body as it is, instead of samples. May be empty.
  Message& payload(std::string_view bytes) {
    raw_.payload = keep(bytes);
    raw_.flags |= SLUICE_MESSAGE_PAYLOAD;
    return *this;
  }
  Message& payload(const Bytes& bytes) { return payload(view(bytes)); }

  // Fills in {name} in the instance's topic; the descriptor declares which names there are.
  Message& placeholder(std::string_view name, std::string_view value) {
    placeholders_.push_back(pair(name, value));
    raw_.placeholders = span(placeholders_);
    return *this;
  }
  // The whole topic, instead of the instance's.
  Message& topic(std::string_view topic) {
    raw_.topic = keep(topic);
    return *this;
  }

  // When it was measured; without one of these, when it is emitted. A time of the host's is corrected later,
  // if the clock turns out to have been wrong; that of a device never is. Prefer the monotonic clock.
  Message& at_monotonic(std::int64_t ns) noexcept { return at(SLUICE_TIME_HOST_MONOTONIC, ns); }
  Message& at_wall(std::int64_t ns_since_1970) noexcept { return at(SLUICE_TIME_HOST_WALL, ns_since_1970); }
  Message& at_device(std::int64_t ns_since_1970) noexcept { return at(SLUICE_TIME_DEVICE, ns_since_1970); }
  Message& at(std::chrono::steady_clock::time_point time) noexcept { return at_monotonic(ns_of(time)); }
  Message& at(std::chrono::system_clock::time_point time) noexcept { return at_wall(ns_of(time)); }

  Message& retain() noexcept {
    raw_.flags |= SLUICE_MESSAGE_RETAIN;
    return *this;
  }
  // Seconds after which the message is worthless; 0 = never.
  Message& expiry(std::uint32_t seconds) noexcept {
    raw_.expiry_s = seconds;
    return *this;
  }
  Message& content_type(std::string_view mime) {
    raw_.content_type = keep(mime);
    return *this;
  }
  Message& response_topic(std::string_view topic) {
    raw_.response_topic = keep(topic);
    return *this;
  }
  Message& correlation_data(std::string_view bytes) {
    raw_.correlation_data = keep(bytes);
    return *this;
  }
  Message& correlation_data(const Bytes& bytes) { return correlation_data(view(bytes)); }
  Message& user_property(std::string_view name, std::string_view value) {
    properties_.push_back(pair(name, value));
    raw_.user_properties = span(properties_);
    return *this;
  }

  // As new, but for the memory, which is kept.
  Message& clear() noexcept {
    samples_.clear();
    placeholders_.clear();
    properties_.clear();
    used_ = 0;
    raw_ = sluice_message{};
    raw_.size = sizeof(raw_);
    return *this;
  }

  std::size_t samples() const noexcept { return samples_.size(); }

  // As the ABI has it: borrowed until the next change of this message. Always up to date.
  const sluice_message& raw() const noexcept { return raw_; }

  void swap(Message& other) noexcept {
    std::swap(raw_, other.raw_);
    std::swap(text_, other.text_);
    std::swap(used_, other.used_);
    std::swap(capacity_, other.capacity_);
    samples_.swap(other.samples_);
    placeholders_.swap(other.placeholders_);
    properties_.swap(other.properties_);
  }

 private:
  template <class T>
  static sluice_array span(const std::vector<T>& list) noexcept {
    return sluice_array{list.data(), list.size(), sizeof(T)};
  }

  template <class TimePoint>
  static std::int64_t ns_of(TimePoint time) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  }

  Message& at(std::uint32_t kind, std::int64_t ns) noexcept {
    raw_.time_kind = kind;
    raw_.time_ns = ns;
    return *this;
  }

  Message& add(std::string_view name, sluice_value value, Quality quality, std::string_view error) {
    const std::string_view text = abi::is_text(value) ? abi::view(value.as.text) : std::string_view();
    reserve(name.size() + text.size() + error.size());  // at once: what is kept below must not move
    if (abi::is_text(value)) value.as.text = keep(text);
    samples_.push_back(sluice_sample{sizeof(sluice_sample), keep(name), value,
                                     static_cast<std::uint32_t>(quality), 0, keep(error)});
    raw_.samples = span(samples_);
    return *this;
  }

  sluice_pair pair(std::string_view name, std::string_view value) {
    reserve(name.size() + value.size());
    return sluice_pair{sizeof(sluice_pair), keep(name), keep(value)};
  }

  sluice_str keep(std::string_view text) {
    if (text.empty()) return sluice_str{nullptr, 0};
    reserve(text.size());
    char* at = text_.get() + used_;
    std::memcpy(at, text.data(), text.size());
    used_ += text.size();
    return sluice_str{at, text.size()};
  }

  void reserve(std::size_t more) {
    if (capacity_ - used_ >= more) return;
    const std::size_t wanted = std::max({std::size_t{64}, capacity_ * 2, used_ + more});
    std::unique_ptr<char[]> grown(new char[wanted]);
    if (used_ > 0) std::memcpy(grown.get(), text_.get(), used_);
    rebase(text_.get(), grown.get());
    text_ = std::move(grown);
    capacity_ = wanted;
  }

  void copy(const Message& other) {
    samples_ = other.samples_;
    placeholders_ = other.placeholders_;
    properties_ = other.properties_;
    raw_ = other.raw_;
    raw_.samples = span(samples_);
    raw_.placeholders = span(placeholders_);
    raw_.user_properties = span(properties_);
    if (other.used_ == 0) return;
    text_.reset(new char[other.used_]);
    capacity_ = used_ = other.used_;
    std::memcpy(text_.get(), other.text_.get(), used_);
    rebase(other.text_.get(), text_.get());
  }

  // Lets all text point into the block `to`, which holds what `from` does. Both still live.
  void rebase(const char* from, const char* to) noexcept {
    const auto move = [from, to](sluice_str& text) {
      if (text.data != nullptr) text.data = to + (text.data - from);
    };
    for (sluice_str* text :
         {&raw_.topic, &raw_.payload, &raw_.content_type, &raw_.response_topic, &raw_.correlation_data}) {
      move(*text);
    }
    for (sluice_sample& sample : samples_) {
      move(sample.name);
      move(sample.error);
      if (abi::is_text(sample.value)) move(sample.value.as.text);
    }
    for (std::vector<sluice_pair>* pairs : {&placeholders_, &properties_}) {
      for (sluice_pair& pair : *pairs) {
        move(pair.name);
        move(pair.value);
      }
    }
  }

  sluice_message raw_{};
  std::unique_ptr<char[]> text_;  // all text of the message, one after the other
  std::size_t used_ = 0;
  std::size_t capacity_ = 0;
  std::vector<sluice_sample> samples_;
  std::vector<sluice_pair> placeholders_;
  std::vector<sluice_pair> properties_;
};

// Messages that lie side by side: one, a std::vector, an array, or a pointer and a count. Borrowed.
class MessageSpan {
 public:
  MessageSpan(const Message* first, std::size_t count) noexcept : first_(first), count_(count) {}
  MessageSpan(const Message& one) noexcept : MessageSpan(&one, 1) {}
  MessageSpan(const std::vector<Message>& all) noexcept : MessageSpan(all.data(), all.size()) {}
  template <std::size_t Count>
  MessageSpan(const Message (&all)[Count]) noexcept : MessageSpan(all, Count) {}

  std::size_t size() const noexcept { return count_; }
  MessageSpan from(std::size_t index) const noexcept { return MessageSpan(first_ + index, count_ - index); }
  // No copy is made: the ABI's struct lies in each Message, and the stride leads from one to the next.
  sluice_array raw() const noexcept {
    return count_ == 0 ? sluice_array{} : sluice_array{&first_->raw(), count_, sizeof(Message)};
  }

 private:
  const Message* first_;
  std::size_t count_;
};

}  // namespace v1
}  // namespace sluice
