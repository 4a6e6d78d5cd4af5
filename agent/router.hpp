// SPDX-License-Identifier: Apache-2.0
// Brings a message to its destinations: the queue of the session, those of outputs that are durable, and instances that
// take messages. Implements what instances emit into. The table of routes can be exchanged while messages pass; each
// message sees one table. Any thread.
//
// A message goes into all the queues that it is for, or into none: where one of them has no memory left for the moment,
// the input is held back. The queue of an output whose disk refuses would hold it back for as long as that lasts:
// that one goes without, which is counted (output.NAME.dropped) and logged, and the others go on. Only what
// emit_durable sends waits for it.
#pragma once

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "plugin/instance.hpp"
#include "plugin/upstream.hpp"
#include "queue/queue.hpp"
#include "route/rules.hpp"

namespace sluice {

class Router : public plugin::Upstream {
 public:
  using Completed = std::function<void(const Delivery& delivery, const plugin::Completion& completion)>;

  /// `completed` hears how each delivery to an instance ended.
  Router(queue::Queue& queue, Completed completed, Metrics& metrics, Log log);

  /// What is for this output goes into its queue from now on. Before the routes are set.
  void add_durable(const std::string& output, queue::Queue& queue);

  /// The destinations that are instances, by name, and the rules. A rule may name an instance that is missing (its
  /// plugin does not load): what it would get is counted as undelivered. `instances` stay valid until set again.
  void set_routes(route::Rules rules, const std::map<std::string, plugin::Instance*>& instances);

  /// From inputs (plugin::Upstream). `full`: a queue has no memory left, and nothing was taken.
  Push accept(Message&& message, const std::shared_ptr<void>& until_committed) override;
  Push accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) override;
  /// Waits for the queue that refused the calling thread last.
  bool wait_room(std::chrono::nanoseconds timeout) override;
  void completed(const Delivery& delivery, const plugin::Completion& completion) override;

  enum class Outcome { delivered, unrouted, undelivered };
  /// From the broker, or as if. `undelivered`: a rule names a destination that did not take it, and none did.
  Outcome route_from_broker(Message&& message);

  /// Why a message would go where it goes.
  route::Rules::Explanation explain(std::string_view topic, route::From from) const;
  /// The rules in force.
  std::vector<route::Rule> rules() const;

 private:
  // Where messages are kept until they have been delivered.
  struct Store {
    queue::Queue& queue;
    Counter* dropped = nullptr;  // where it may hold nobody back for long
    std::atomic<bool> is_dropping = false;
  };
  struct Destination {
    plugin::Instance* instance = nullptr;  // neither this nor a store: it is missing
    Store* store = nullptr;
    Counter* undelivered = nullptr;
  };
  struct Table {
    route::Rules rules;
    std::vector<Destination> destinations;  // one an output of the rules
  };
  struct BadRewrite {
    std::uint32_t route;  // counted from 1
    std::string input;    // empty: the message came from the broker
    std::string problem;  // in words
  };
  // Mostly there is one: that takes no memory of its own.
  template <typename T>
  using MostlyOne = boost::container::small_vector<T, 1>;
  // What goes into one store.
  struct Share {
    std::uint32_t output;
    MostlyOne<Delivery> deliveries;
    bool goes_without = false;
  };
  using Shares = MostlyOne<Share>;
  struct Routed {
    Shares to_stores;
    std::vector<std::pair<std::uint32_t, Delivery>> to_instances;  // with the index of the output
    bool matched = false;
    std::vector<BadRewrite> bad_rewrites;
  };

  void mark_time(Message& message) const;
  std::shared_ptr<const Table> table() const;
  static void add_share(Shares& shares, std::uint32_t output, Delivery&& delivery);
  static Routed find_destinations(const Table& table, const std::shared_ptr<const Message>& message,
                                  route::From from);
  // To be called once for each message that is taken, not for one that is offered again.
  void count(const Routed& routed);
  std::size_t deliver_to_instances(const Table& table, Routed& routed);
  Push store(const Table& table, Shares& shares, const std::shared_ptr<void>& until_committed);
  void count_dropped(const std::string& output, Store& store, std::size_t messages);
  void note_refused(queue::Queue& queue);

  queue::Queue& queue_;
  const Completed completed_;
  Metrics& metrics_;
  const Log log_;
  Counter& unrouted_;
  Counter& bad_rewrites_;

  std::map<std::string, std::unique_ptr<Store>> stores_;  // by output; constant once the routes are set

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::shared_ptr<const Table> table_;                // shared with the messages that pass
  std::map<std::thread::id, queue::Queue*> refused_;  // who waits for which queue
};

}  // namespace sluice
