// SPDX-License-Identifier: Apache-2.0
#include "plugin/handed_out.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include "plugin/abi.hpp"

namespace sluice::plugin {
namespace {

sluice_value make_value(const Value& from) {
  sluice_value to{};
  if (const auto* flag = std::get_if<bool>(&from)) {
    to.type = SLUICE_BOOL;
    to.as.boolean = *flag ? 1 : 0;
  } else if (const auto* integer = std::get_if<std::int64_t>(&from)) {
    to.type = SLUICE_INT64;
    to.as.i64 = *integer;
  } else if (const auto* natural = std::get_if<std::uint64_t>(&from)) {
    to.type = SLUICE_UINT64;
    to.as.u64 = *natural;
  } else if (const auto* number = std::get_if<double>(&from)) {
    to.type = SLUICE_DOUBLE;
    to.as.f64 = *number;
  } else if (const auto* text = std::get_if<std::string>(&from)) {
    to.type = SLUICE_STRING;
    to.as.text = span(*text);
  } else if (const auto* bytes = std::get_if<Bytes>(&from)) {
    to.type = SLUICE_BYTES;
    to.as.text = span(bytes->data);
  }
  return to;
}

sluice_sample make_sample(const Sample& from) {
  sluice_sample to{};
  to.size = sizeof to;
  to.name = span(from.name);
  to.value = make_value(from.value);
  to.quality = static_cast<std::uint32_t>(from.quality);
  to.error = span(from.error);
  return to;
}

sluice_pair make_pair(const Property& from) {
  sluice_pair to{};
  to.size = sizeof to;
  to.name = span(from.first);
  to.value = span(from.second);
  return to;
}

sluice_message make_message(std::uint64_t token, const Delivery& delivery) {
  const Message& from = *delivery.message;
  sluice_message to{};
  to.size = sizeof to;
  if (from.payload) to.flags |= SLUICE_MESSAGE_PAYLOAD;
  if (from.retain) to.flags |= SLUICE_MESSAGE_RETAIN;
  to.time_kind = from.time.kind == TimeKind::device ? SLUICE_TIME_DEVICE : SLUICE_TIME_HOST_WALL;
  to.time_ns = from.time.wall_ns;
  to.topic = span(delivery.topic());
  if (from.payload) to.payload = span(*from.payload);
  to.content_type = span(from.content_type);
  to.response_topic = span(from.response_topic);
  to.correlation_data = span(from.correlation_data);
  to.expiry_s = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(from.expiry.count(), 0, std::numeric_limits<std::uint32_t>::max()));
  to.token = token;
  return to;
}

}  // namespace

void HandedOut::assign(std::vector<Item> items) {
  messages_.clear();
  samples_.clear();
  properties_.clear();
  items_ = std::move(items);
  std::size_t samples = 0;
  std::size_t properties = 0;
  for (const auto& [token, delivery] : items_) {
    samples += delivery.message->payload ? 0 : delivery.message->samples.size();
    properties += delivery.message->user_properties.size();
  }
  // The messages point into these: they must not grow below.
  samples_.reserve(samples);
  properties_.reserve(properties);
  messages_.reserve(items_.size());
  for (const auto& [token, delivery] : items_) {
    const Message& from = *delivery.message;
    sluice_message message = make_message(token, delivery);
    const std::size_t first_sample = samples_.size();
    const std::size_t first_property = properties_.size();
    if (!from.payload)
      std::transform(from.samples.begin(), from.samples.end(), std::back_inserter(samples_), make_sample);
    std::transform(from.user_properties.begin(), from.user_properties.end(), std::back_inserter(properties_),
                   make_pair);
    message.samples = array_of(samples_.data() + first_sample, samples_.size() - first_sample);
    message.user_properties =
        array_of(properties_.data() + first_property, properties_.size() - first_property);
    messages_.push_back(message);
  }
}

}  // namespace sluice::plugin
