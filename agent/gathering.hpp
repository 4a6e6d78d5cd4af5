// SPDX-License-Identifier: Apache-2.0
// Puts samples of one topic together into one publication, where their route asks for it. Owned by the forwarder, on the
// session's thread. What is gathered stays in the queue until the publication is acknowledged: nothing is lost with it.
//
// The payload of a batch is a JSON array, also of a single sample, so that a receiver has one form to read. Each element
// is what would have been the payload, with an id of its own. Messages that have more than samples (an opaque payload,
// a response topic, user properties, retain) are published alone, as they are.
//
// Order per topic is kept: whatever cannot join the batch of its topic lets that go first.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "queue/queue.hpp"

namespace sluice {

/// What is published at once: one message, or a batch.
struct Parcel {
  using Parts = boost::container::small_vector<queue::Outgoing,
                                               1>;  // nearly always one, and then without a block of its own
  Parts parts;                                      ///< one at least
  bool batched = false;
  bool replayed = false;

  const std::string& topic() const { return parts.front().delivery.topic(); }
  const DeliveryOptions& options() const { return parts.front().delivery.options; }
};

/// May it travel in a batch: its route asks for it, and it has nothing but samples.
bool is_batchable(const Delivery& delivery);

/// What an element of a batch has beside what its message says.
struct ElementForm {
  bool id = true;
  bool replayed = false;  ///< the mark of what waited for the link
};

/// The JSON array of a batch.
std::string encode_batch(const Parcel& batch, ElementForm form);

class Gathering {
 public:
  /// `form`: the longest that elements may have. `max_bytes`: of the payloads of all batches that are being filled; beyond
  /// it the oldest go out early.
  Gathering(ElementForm form, std::size_t max_bytes, const Clock& clock);

  /// Takes a message in, and appends to `ready` what is to be published now, in this order.
  void add(queue::Outgoing&& outgoing, bool replayed, std::vector<Parcel>& ready);
  /// Appends the batches whose time is over.
  void release_due(std::vector<Parcel>& ready);

  /// Messages in batches that are being filled.
  std::size_t size() const { return size_; }

 private:
  struct Batch {
    Parcel parcel;
    std::size_t bytes = 0;  // of the payload, as it will be
  };
  using ByDeadline = std::multimap<Nanoseconds, Batch>;  // monotonic

  void release(ByDeadline::iterator batch, std::vector<Parcel>& ready);

  const ElementForm form_;
  const std::size_t max_bytes_;
  const Clock& clock_;
  ByDeadline batches_;
  std::unordered_map<std::string, ByDeadline::iterator> by_topic_;
  std::size_t bytes_ = 0;
  std::size_t size_ = 0;
};

}  // namespace sluice
