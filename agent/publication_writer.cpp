// SPDX-License-Identifier: Apache-2.0
#include "publication_writer.hpp"

#include <cstddef>
#include <string>

#include "encode/encoder.hpp"

namespace sluice {
namespace {

using Id = PublicationOptions::Id;

constexpr std::size_t most_kept_bytes = std::size_t{64} << 10U;

}  // namespace

ElementForm element_form(const PublicationOptions& options) {
  return {.id = options.id != Id::none, .replayed = options.id == Id::payload};
}

// Nothing of the last one is left but its memory: to take that anew for each message would cost more than to fill it.
void PublicationWriter::clear() {
  publication_.topic.clear();
  if (publication_.payload.capacity() > most_kept_bytes) std::string().swap(publication_.payload);
  publication_.payload.clear();
  publication_.expiry = std::chrono::seconds(0);
  publication_.content_type.clear();
  publication_.response_topic.clear();
  publication_.correlation_data.clear();
  publication_.user_properties.clear();
  publication_.token = 0;
}

mqtt::Publication& PublicationWriter::write(const Parcel& parcel, std::chrono::seconds expiry,
                                            bool replayed) {
  if (!parcel.batched) return write(parcel.parts.front(), expiry, replayed);
  clear();
  ElementForm form = element_form(options_);
  form.replayed = form.replayed && replayed;
  publication_.topic = parcel.topic();
  publication_.payload = encode_batch(parcel, form);
  publication_.qos = parcel.options().qos;
  publication_.retain = parcel.options().retain;
  if (!options_.properties) return publication_;
  publication_.expiry = expiry;
  publication_.content_type = "application/json";
  if (replayed) publication_.user_properties.emplace_back("replayed", "true");
  return publication_;
}

mqtt::Publication& PublicationWriter::write(const queue::Outgoing& outgoing, std::chrono::seconds expiry,
                                            bool replayed) {
  const Delivery& delivery = outgoing.delivery;
  const Message& message = *delivery.message;
  const bool in_payload = options_.id == Id::payload && !outgoing.id.empty();
  clear();
  publication_.topic = delivery.topic();
  encode::encode(delivery,
                 {.id_in_payload = in_payload, .id = outgoing.id, .replayed = replayed && in_payload},
                 publication_.payload);
  publication_.qos = delivery.options.qos;
  publication_.retain = delivery.options.retain || message.retain;
  if (!options_.properties) return publication_;
  publication_.expiry = expiry;
  publication_.content_type = encode::content_type(delivery);
  publication_.response_topic = message.response_topic;
  publication_.correlation_data = message.correlation_data;
  publication_.user_properties = message.user_properties;
  if (options_.id == Id::property && !outgoing.id.empty()) {
    publication_.user_properties.emplace_back("id", outgoing.id);
  }
  if (replayed) publication_.user_properties.emplace_back("replayed", "true");
  return publication_;
}

}  // namespace sluice
