// SPDX-License-Identifier: Apache-2.0
//
// A message that was handed to an instance. These are views: what receive() returned is valid until the next
// receive(), what handle() gets for the call. Only the token may be kept longer: with it the message is
// answered.
#pragma once

#include <sluice/value.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {
inline namespace v1 {

class SampleView {
 public:
  explicit SampleView(const sluice_sample& raw) noexcept : raw_(&raw) {}
  std::string_view name() const noexcept { return abi::view(abi::field(*raw_, &sluice_sample::name)); }
  Value value() const { return abi::to_value(raw_value()); }
  Quality quality() const noexcept {
    return static_cast<Quality>(abi::field(*raw_, &sluice_sample::quality));
  }
  std::string_view error() const noexcept { return abi::view(abi::field(*raw_, &sluice_sample::error)); }

  // The value as a number; nothing where it is text or missing. Booleans are 0 and 1.
  std::optional<double> number() const noexcept {
    const sluice_value value = raw_value();
    switch (value.type) {
      case SLUICE_BOOL:
        return value.as.boolean != 0 ? 1.0 : 0.0;
      case SLUICE_INT64:
        return static_cast<double>(value.as.i64);
      case SLUICE_UINT64:
        return static_cast<double>(value.as.u64);
      case SLUICE_DOUBLE:
        return value.as.f64;
      default:
        return std::nullopt;
    }
  }
  // The value as text or bytes; nothing where it is neither.
  std::optional<std::string_view> text() const noexcept {
    const sluice_value value = raw_value();
    if (!abi::is_text(value)) return std::nullopt;
    return abi::view(value.as.text);
  }

 private:
  sluice_value raw_value() const noexcept { return abi::field(*raw_, &sluice_sample::value); }
  const sluice_sample* raw_;
};

struct Property {
  std::string_view name;
  std::string_view value;
};

enum class TimeKind : std::uint32_t {
  Now = SLUICE_TIME_NOW,
  Device = SLUICE_TIME_DEVICE,
  HostWall = SLUICE_TIME_HOST_WALL,
  HostMonotonic = SLUICE_TIME_HOST_MONOTONIC
};

namespace abi {

// A range over an Array that makes a View of each element.
template <class View, class Raw, View (*Make)(const Raw&)>
class ViewRange {
 public:
  class Iterator {
   public:
    explicit Iterator(typename Array<Raw>::Iterator at) noexcept : at_(at) {}
    View operator*() const { return Make(*at_); }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const noexcept { return at_ == other.at_; }
    bool operator!=(const Iterator& other) const noexcept { return at_ != other.at_; }

   private:
    typename Array<Raw>::Iterator at_;
  };

  explicit ViewRange(sluice_array raw) noexcept : raw_(raw) {}
  std::size_t size() const noexcept { return raw_.size(); }
  bool empty() const noexcept { return raw_.empty(); }
  View operator[](std::size_t index) const { return Make(raw_[index]); }
  Iterator begin() const noexcept { return Iterator(raw_.begin()); }
  Iterator end() const noexcept { return Iterator(raw_.end()); }

 private:
  Array<Raw> raw_;
};

inline SampleView sample_view(const sluice_sample& raw) {
  return SampleView(raw);
}
inline Property property_view(const sluice_pair& raw) {
  return Property{view(field(raw, &sluice_pair::name)), view(field(raw, &sluice_pair::value))};
}

}  // namespace abi

class ReceivedMessage {
 public:
  using Samples = abi::ViewRange<SampleView, sluice_sample, abi::sample_view>;
  using Properties = abi::ViewRange<Property, sluice_pair, abi::property_view>;

  explicit ReceivedMessage(const sluice_message& raw) noexcept : raw_(&raw) {}

  std::string_view topic() const noexcept { return text(&sluice_message::topic); }
  // With a payload the body is opaque, and there are no samples. Commands from the broker come with one.
  bool has_payload() const noexcept {
    return (abi::field(*raw_, &sluice_message::flags) & SLUICE_MESSAGE_PAYLOAD) != 0;
  }
  std::string_view payload() const noexcept { return text(&sluice_message::payload); }
  Samples samples() const noexcept { return Samples(abi::field(*raw_, &sluice_message::samples)); }
  // The sample of that name, or nothing.
  std::optional<SampleView> sample(std::string_view name) const noexcept {
    for (const SampleView& sample : samples()) {
      if (sample.name() == name) return sample;
    }
    return std::nullopt;
  }

  TimeKind time_kind() const noexcept {
    return static_cast<TimeKind>(abi::field(*raw_, &sluice_message::time_kind));
  }
  std::int64_t time_ns() const noexcept { return abi::field(*raw_, &sluice_message::time_ns); }
  bool retained() const noexcept {
    return (abi::field(*raw_, &sluice_message::flags) & SLUICE_MESSAGE_RETAIN) != 0;
  }
  std::uint32_t expiry_s() const noexcept { return abi::field(*raw_, &sluice_message::expiry_s); }
  std::string_view content_type() const noexcept { return text(&sluice_message::content_type); }
  std::string_view response_topic() const noexcept { return text(&sluice_message::response_topic); }
  std::string_view correlation_data() const noexcept { return text(&sluice_message::correlation_data); }
  Properties properties() const noexcept {
    return Properties(abi::field(*raw_, &sluice_message::user_properties));
  }
  Properties placeholders() const noexcept {
    return Properties(abi::field(*raw_, &sluice_message::placeholders));
  }
  // The first property of that name, or nothing.
  std::optional<std::string_view> property(std::string_view name) const noexcept {
    for (const Property& property : properties()) {
      if (property.name == name) return property.value;
    }
    return std::nullopt;
  }

  // Names this message in complete, retry and refuse: may be kept until then.
  std::uint64_t token() const noexcept { return abi::field(*raw_, &sluice_message::token); }
  const sluice_message& raw() const noexcept { return *raw_; }

 private:
  std::string_view text(sluice_str sluice_message::*member) const noexcept {
    return abi::view(abi::field(*raw_, member));
  }
  const sluice_message* raw_;
};

namespace abi {
inline ReceivedMessage message_view(const sluice_message& raw) {
  return ReceivedMessage(raw);
}
}  // namespace abi

// What handle() gets.
using Messages = abi::ViewRange<ReceivedMessage, sluice_message, abi::message_view>;

// What receive() returns: none where nothing came in time, or the instance is to end.
class Received {
 public:
  static constexpr std::size_t capacity = 64;

  class Iterator {
   public:
    explicit Iterator(const sluice_message* const* at) noexcept : at_(at) {}
    ReceivedMessage operator*() const noexcept { return ReceivedMessage(**at_); }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const noexcept { return at_ == other.at_; }
    bool operator!=(const Iterator& other) const noexcept { return at_ != other.at_; }

   private:
    const sluice_message* const* at_;
  };

  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  bool stopped() const noexcept { return stopped_; }
  ReceivedMessage operator[](std::size_t index) const noexcept { return ReceivedMessage(*messages_[index]); }
  Iterator begin() const noexcept { return Iterator(messages_.data()); }
  Iterator end() const noexcept { return Iterator(messages_.data() + count_); }

 private:
  friend class Host;
  std::array<const sluice_message*, capacity> messages_{};
  std::size_t count_ = 0;
  bool stopped_ = false;
};

}  // namespace v1
}  // namespace sluice
