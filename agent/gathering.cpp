// SPDX-License-Identifier: Apache-2.0
#include "gathering.hpp"

#include <utility>

#include "encode/encoder.hpp"

namespace sluice {
namespace {

constexpr std::size_t brackets = 2;

std::string encode_part(const queue::Outgoing& part, ElementForm form) {
  return encode::encode(part.delivery, {.id_in_payload = form.id, .id = part.id, .replayed = form.replayed});
}

}  // namespace

bool is_batchable(const Delivery& delivery) {
  const Message& message = *delivery.message;
  return delivery.options.batch.count > 0 && !message.payload && !message.retain &&
         message.content_type.empty() && message.response_topic.empty() && message.correlation_data.empty() &&
         message.user_properties.empty();
}

std::string encode_batch(const Parcel& batch, ElementForm form) {
  std::string text = "[";
  for (const queue::Outgoing& part : batch.parts) {
    if (text.size() > 1) text += ',';
    text += encode_part(part, form);
  }
  return text += ']';
}

Gathering::Gathering(ElementForm form, std::size_t max_bytes, const Clock& clock)
    : form_(form), max_bytes_(max_bytes), clock_(clock) {}

void Gathering::add(queue::Outgoing&& outgoing, bool replayed, std::vector<Parcel>& ready) {
  const bool batchable = is_batchable(outgoing.delivery);
  const std::size_t bytes = batchable ? encode_part(outgoing, form_).size() + 1 : 0;
  const Batching limits = outgoing.delivery.options.batch;

  auto open = batches_.empty() ? by_topic_.end() : by_topic_.find(outgoing.delivery.topic());
  if (open != by_topic_.end()) {
    const Batch& batch = open->second->second;
    const bool joins = batchable && batch.parcel.replayed == replayed &&
                       batch.parcel.options() == outgoing.delivery.options &&
                       batch.bytes + bytes <= limits.bytes;
    if (!joins) {
      release(open->second, ready);
      open = by_topic_.end();
    }
  }
  if (!batchable) {
    Parcel& alone = ready.emplace_back();
    alone.replayed = replayed;
    alone.parts.push_back(std::move(outgoing));
    return;
  }
  ByDeadline::iterator place;
  if (open == by_topic_.end()) {
    place = batches_.emplace(clock_.monotonic() + limits.age, Batch{});
    place->second.parcel.batched = true;
    place->second.parcel.replayed = replayed;
    place->second.bytes = brackets;
  } else {
    place = open->second;
  }
  Batch& batch = place->second;
  batch.parcel.parts.push_back(std::move(outgoing));
  batch.bytes += bytes;
  bytes_ += bytes;
  ++size_;
  by_topic_.try_emplace(batch.parcel.topic(), place);
  if (batch.parcel.parts.size() >= limits.count || batch.bytes >= limits.bytes) release(place, ready);
  while (bytes_ > max_bytes_) release(batches_.begin(), ready);
}

void Gathering::release_due(std::vector<Parcel>& ready) {
  const Nanoseconds now = clock_.monotonic();
  while (!batches_.empty() && batches_.begin()->first <= now) release(batches_.begin(), ready);
}

void Gathering::release(ByDeadline::iterator batch, std::vector<Parcel>& ready) {
  Parcel& parcel = batch->second.parcel;
  by_topic_.erase(parcel.topic());
  bytes_ -= batch->second.bytes - brackets;
  size_ -= parcel.parts.size();
  ready.push_back(std::move(parcel));
  batches_.erase(batch);
}

}  // namespace sluice
