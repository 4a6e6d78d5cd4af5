// SPDX-License-Identifier: Apache-2.0
// Says of a message or a batch what is published: its payload, its properties, its id and the mark of what waited for the
// link. Owned by the forwarder, on the session's thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "gathering.hpp"
#include "mqtt/publication.hpp"
#include "queue/queue.hpp"

namespace sluice {

struct PublicationOptions {
  enum class Id : std::uint8_t { property, payload, none };
  Id id = Id::property;    ///< where the id of a message stands
  bool properties = true;  ///< the session speaks MQTT 5
};

/// What the elements of a batch have at most.
ElementForm element_form(const PublicationOptions& options);

class PublicationWriter {
 public:
  explicit PublicationWriter(const PublicationOptions& options) : options_(options) {}

  /// `expiry`: what remains of it, 0 for none. `replayed`: it waited for the link, which is marked where ids are: in the
  /// payload, too, for those who read no properties. What is returned has no token; it is the writer's, until the next one.
  mqtt::Publication& write(const Parcel& parcel, std::chrono::seconds expiry, bool replayed);
  mqtt::Publication& write(const queue::Outgoing& outgoing, std::chrono::seconds expiry, bool replayed);

 private:
  void clear();

  const PublicationOptions options_;
  mqtt::Publication publication_;  // kept for its memory
};

}  // namespace sluice
