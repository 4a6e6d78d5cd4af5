// SPDX-License-Identifier: Apache-2.0
#include "router.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sluice {

Router::Router(queue::Queue& queue, Completed completed, Metrics& metrics, Log log)
    : queue_(queue),
      completed_(std::move(completed)),
      metrics_(metrics),
      log_(std::move(log)),
      unrouted_(metrics.counter("router", "unrouted")),
      bad_rewrites_(metrics.counter("router", "bad_rewrites")),
      table_(std::make_shared<Table>(Table{route::Rules({}, ""), {}})) {
  stores_[std::string(route::mqtt_output)].reset(new Store{queue_});
}

void Router::add_durable(const std::string& output, queue::Queue& queue) {
  stores_[output].reset(new Store{queue, &metrics_.counter("output." + output, "dropped")});
}

void Router::set_routes(route::Rules rules, const std::map<std::string, plugin::Instance*>& instances) {
  auto next = std::make_shared<Table>(Table{std::move(rules), {}});
  for (const std::string& output : next->rules.outputs()) {
    Destination& destination = next->destinations.emplace_back();
    destination.undelivered = &metrics_.counter("output." + output, "undelivered");
    if (const auto store = stores_.find(output); store != stores_.end()) {
      destination.store = store->second.get();
    } else if (const auto instance = instances.find(output); instance != instances.end()) {
      destination.instance = instance->second;
    }
  }
  const std::lock_guard lock(mutex_);
  table_ = std::move(next);
}

std::shared_ptr<const Router::Table> Router::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

// A time that the host took before its clock was set: the queue corrects it once it knows better.
void Router::mark_time(Message& message) const {
  if (message.time.kind == TimeKind::host && !queue_.clock_is_synchronised()) {
    message.time.mark = TimeMark::unsynchronised;
  }
}

Push Router::accept(Message&& message, const std::shared_ptr<void>& until_committed) {
  const auto table = this->table();
  mark_time(message);
  const auto shared = std::make_shared<Message>(std::move(message));
  Routed routed = find_destinations(*table, shared, route::From::input);
  if (const Push stored = store(*table, routed.to_stores, until_committed); stored != Push::ok) {
    message = std::move(*shared);
    return stored;
  }
  count(routed);
  deliver_to_instances(*table, routed);
  return Push::ok;
}

Push Router::accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) {
  const auto table = this->table();
  std::vector<Routed> all;
  Shares shares;
  for (Message& message : messages) {
    mark_time(message);
    Routed& routed =
        all.emplace_back(find_destinations(*table, std::make_shared<Message>(message), route::From::input));
    for (Share& share : routed.to_stores) {
      for (Delivery& delivery : share.deliveries) add_share(shares, share.output, std::move(delivery));
    }
  }
  if (const Push stored = store(*table, shares, until_committed); stored != Push::ok) return stored;
  for (Routed& routed : all) {
    count(routed);
    deliver_to_instances(*table, routed);
  }
  return Push::ok;
}

void Router::add_share(Shares& shares, std::uint32_t output, Delivery&& delivery) {
  const auto found =
      std::find_if(shares.begin(), shares.end(), [&](const Share& share) { return share.output == output; });
  Share& share = found != shares.end() ? *found : shares.emplace_back(Share{output, {}});
  share.deliveries.push_back(std::move(delivery));
}

// Into all of the queues, or into none.
Push Router::store(const Table& table, Shares& shares, const std::shared_ptr<void>& until_committed) {
  // A shared pointer may point at nothing and still have a deleter to be called.
  const bool somebody_waits = until_committed.use_count() > 0;
  const bool alone = shares.size() == 1;
  const auto store_of = [&](const Share& share) -> Store& { return *table.destinations[share.output].store; };
  for (auto share = shares.begin(); share != shares.end(); ++share) {
    Store& store = store_of(*share);
    const Push room = alone ? store.queue.append_all(share->deliveries, until_committed)
                            : store.queue.reserve(share->deliveries, somebody_waits);
    if (room == Push::ok) continue;
    share->goes_without =
        room == Push::full && store.dropped != nullptr && !somebody_waits && store.queue.stats().degraded;
    if (share->goes_without) continue;
    std::for_each(shares.begin(), share, [&](Share& held) {
      if (!held.goes_without) store_of(held).queue.cancel(held.deliveries);
    });
    if (room == Push::full) note_refused(store.queue);
    return room;
  }
  for (Share& share : shares) {
    Store& store = store_of(share);
    if (share.goes_without) {
      count_dropped(table.rules.outputs()[share.output], store, share.deliveries.size());
      continue;
    }
    if (!alone) store.queue.append_reserved(share.deliveries, until_committed);
    if (store.is_dropping.load(std::memory_order_relaxed) && store.is_dropping.exchange(false)) {
      log_.with(LogField::output, table.rules.outputs()[share.output])
          .info("output \"{}\": its queue takes messages again; {} were dropped since the start",
                table.rules.outputs()[share.output], store.dropped->value());
    }
  }
  return Push::ok;
}

void Router::count_dropped(const std::string& output, Store& store, std::size_t messages) {
  store.dropped->add(messages);
  if (store.is_dropping.exchange(true)) return;
  log_.with(LogField::output, output)
      .error("output \"{}\": its queue can take nothing more, and what is for it is dropped until it can: {}",
             output, store.queue.stats().problem);
}

void Router::note_refused(queue::Queue& queue) {
  // Threads that were refused and never wait, nor come again, must not pile up.
  constexpr std::size_t most = 1000;
  const std::lock_guard lock(mutex_);
  if (refused_.size() >= most) refused_.clear();
  refused_[std::this_thread::get_id()] = &queue;
}

bool Router::wait_room(std::chrono::nanoseconds timeout) {
  queue::Queue* queue = &queue_;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = refused_.find(std::this_thread::get_id()); found != refused_.end()) {
      queue = found->second;
    }
  }
  return queue->wait_room(timeout);
}

void Router::completed(const Delivery& delivery, const plugin::Completion& completion) {
  completed_(delivery, completion);
}

Router::Outcome Router::route_from_broker(Message&& message) {
  const auto table = this->table();
  Routed routed =
      find_destinations(*table, std::make_shared<Message>(std::move(message)), route::From::broker);
  count(routed);
  if (!routed.matched) return Outcome::unrouted;
  std::size_t delivered = 0;
  std::size_t wanted = routed.to_instances.size();
  for (Share& share : routed.to_stores) {
    const Destination& destination = table->destinations[share.output];
    wanted += share.deliveries.size();
    for (Delivery& delivery : share.deliveries) {
      if (destination.store->queue.append(std::move(delivery)) == Push::ok) {
        ++delivered;
      } else {
        destination.undelivered->add();
      }
    }
  }
  delivered += deliver_to_instances(*table, routed);
  return delivered > 0 || wanted == 0 ? Outcome::delivered : Outcome::undelivered;
}

Router::Routed Router::find_destinations(const Table& table, const std::shared_ptr<const Message>& message,
                                         route::From from) {
  Routed routed;
  thread_local std::vector<route::Rules::Hit> hits;  // keeps its memory
  routed.matched = table.rules.route(message->topic, from, hits);
  for (const route::Rules::Hit& hit : hits) {
    const route::Rule& rule = table.rules.rules()[hit.rule];
    Delivery delivery{message, {}, rule.options};
    if (!rule.topic.empty()) {
      auto rewritten = table.rules.rewrite(hit.rule, message->topic, message->input);
      if (!rewritten.problem.empty()) {
        routed.bad_rewrites.push_back({hit.rule + 1, message->input, std::move(rewritten.problem)});
        continue;
      }
      delivery.rewritten_topic = std::move(rewritten.topic);
    }
    if (table.destinations[hit.output].store != nullptr) {
      add_share(routed.to_stores, hit.output, std::move(delivery));
    } else {
      routed.to_instances.emplace_back(hit.output, std::move(delivery));
    }
  }
  return routed;
}

void Router::count(const Routed& routed) {
  if (!routed.matched) unrouted_.add();
  for (const BadRewrite& bad : routed.bad_rewrites) {
    bad_rewrites_.add();
    const Log log = log_.with(LogField::route, bad.route);
    (bad.input.empty() ? log : log.with(LogField::input, bad.input))
        .warn("{}; the message does not go by it", bad.problem);
  }
}

// How many were taken; the others are counted.
std::size_t Router::deliver_to_instances(const Table& table, Routed& routed) {
  std::size_t delivered = 0;
  for (auto& [output, delivery] : routed.to_instances) {
    const Destination& destination = table.destinations[output];
    if (destination.instance != nullptr && destination.instance->deliver(std::move(delivery)) == Push::ok) {
      ++delivered;
    } else {
      destination.undelivered->add();
    }
  }
  return delivered;
}

route::Rules::Explanation Router::explain(std::string_view topic, route::From from) const {
  return table()->rules.explain(topic, from);
}

std::vector<route::Rule> Router::rules() const {
  return table()->rules.rules();
}

}  // namespace sluice
