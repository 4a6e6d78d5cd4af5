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
      table_(std::make_shared<Table>(Table{route::Rules({}, ""), {}, {}, {}})) {}

void Router::set_routes(route::Rules rules, const std::map<std::string, plugin::Instance*>& instances) {
  auto next = std::make_shared<Table>(Table{std::move(rules), {}, {}, {}});
  for (const std::string& output : next->rules.outputs()) {
    const auto found = instances.find(output);
    next->instances.push_back(found == instances.end() ? nullptr : found->second);
    next->is_session.push_back(output == route::mqtt_output);
    next->undelivered.push_back(&metrics_.counter("output." + output, "undelivered"));
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
  if (const Push pushed = queue_.append_all(routed.to_queue, until_committed); pushed != Push::ok) {
    message = std::move(*shared);
    return pushed;
  }
  count(routed);
  deliver_to_instances(*table, routed);
  return Push::ok;
}

Push Router::accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) {
  const auto table = this->table();
  std::vector<Routed> all;
  std::vector<Delivery> to_queue;
  for (Message& message : messages) {
    mark_time(message);
    Routed& routed =
        all.emplace_back(find_destinations(*table, std::make_shared<Message>(message), route::From::input));
    std::move(routed.to_queue.begin(), routed.to_queue.end(), std::back_inserter(to_queue));
  }
  if (const Push pushed = queue_.append_all(to_queue, until_committed); pushed != Push::ok) return pushed;
  for (Routed& routed : all) {
    count(routed);
    deliver_to_instances(*table, routed);
  }
  return Push::ok;
}

bool Router::wait_room(std::chrono::nanoseconds timeout) {
  return queue_.wait_room(timeout);
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
  for (Delivery& delivery : routed.to_queue) {
    if (queue_.append(std::move(delivery)) == Push::ok) {
      ++delivered;
    } else {
      metrics_.counter("output.mqtt", "undelivered").add();
    }
  }
  const std::size_t wanted = routed.to_queue.size() + routed.to_instances.size();
  delivered += deliver_to_instances(*table, routed);
  return delivered > 0 || wanted == 0 ? Outcome::delivered : Outcome::undelivered;
}

Router::Routed Router::find_destinations(const Table& table, const std::shared_ptr<const Message>& message,
                                         route::From from) {
  Routed routed;
  std::vector<route::Rules::Hit> hits;
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
    if (table.is_session[hit.output]) {
      routed.to_queue.push_back(std::move(delivery));
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
    plugin::Instance* instance = table.instances[output];
    if (instance != nullptr && instance->deliver(std::move(delivery)) == Push::ok) {
      ++delivered;
    } else {
      table.undelivered[output]->add();
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
