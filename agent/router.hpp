// SPDX-License-Identifier: Apache-2.0
// Brings a message to its destinations: the queue of the session, and instances that take messages. Implements what
// instances emit into. The table of routes can be exchanged while messages pass; each message sees one table.
// Any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
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

  /// The destinations that are instances, by name, and the rules. A rule may name an instance that is missing (its
  /// plugin does not load): what it would get is counted as undelivered. `instances` stay valid until set again.
  void set_routes(route::Rules rules, const std::map<std::string, plugin::Instance*>& instances);

  /// From inputs (plugin::Upstream). `full`: the queue has no memory left, and nothing was taken.
  Push accept(Message&& message, const std::shared_ptr<void>& until_committed) override;
  Push accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) override;
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
  struct Table {
    route::Rules rules;
    std::vector<plugin::Instance*> instances;  // one an output of the rules; null: the session, or missing
    std::vector<bool> is_session;              // likewise
    std::vector<Counter*> undelivered;         // likewise
  };
  struct BadRewrite {
    std::uint32_t route;  // counted from 1
    std::string input;    // empty: the message came from the broker
    std::string problem;  // in words
  };
  struct Routed {
    std::vector<Delivery> to_queue;
    std::vector<std::pair<std::uint32_t, Delivery>> to_instances;  // with the index of the output
    bool matched = false;
    std::vector<BadRewrite> bad_rewrites;
  };

  void mark_time(Message& message) const;
  std::shared_ptr<const Table> table() const;
  static Routed find_destinations(const Table& table, const std::shared_ptr<const Message>& message,
                                  route::From from);
  // To be called once for each message that is taken, not for one that is offered again.
  void count(const Routed& routed);
  std::size_t deliver_to_instances(const Table& table, Routed& routed);

  queue::Queue& queue_;
  const Completed completed_;
  Metrics& metrics_;
  const Log log_;
  Counter& unrouted_;
  Counter& bad_rewrites_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_;  // guarded by mutex_; shared with the messages that pass
};

}  // namespace sluice
