// SPDX-License-Identifier: Apache-2.0
#include "status_document.hpp"

#include <nlohmann/json.hpp>

#include "encode/encoder.hpp"

namespace sluice {

using nlohmann::ordered_json;

ordered_json session_document(const mqtt::SessionStatus& status) {
  ordered_json document;
  document["state"] = mqtt::to_string(status.state);
  document["broker"] = status.broker;
  document["since"] = encode::rfc3339(status.since.count());
  document["reason"] = status.reason;
  document["in_flight"] = status.in_flight;
  document["window"] = status.window;
  document["reconnects"] = status.reconnects;
  document["session_present"] = status.session_present;
  document["subscriptions"] = ordered_json::array();
  for (const mqtt::SubscriptionStatus& subscription : status.subscriptions) {
    document["subscriptions"].push_back({{"filter", subscription.asked.filter},
                                         {"qos", subscription.asked.qos},
                                         {"granted", subscription.granted},
                                         {"granted_qos", subscription.granted_qos},
                                         {"refusal", subscription.refusal}});
  }
  return document;
}

ordered_json instance_document(const plugin::InstanceStatus& status) {
  return {{"state", plugin::to_string(status.state)},
          {"error", status.last_error},
          {"restarts", status.restarts},
          {"emitted", status.emitted},
          {"invalid", status.invalid},
          {"received", status.received},
          {"completed", status.completed},
          {"refused", status.refused},
          {"retried", status.retried},
          {"timed_out", status.timed_out},
          {"late", status.late},
          {"overruns", status.overruns},
          {"mailbox", status.mailbox},
          {"outstanding", status.outstanding}};
}

ordered_json metrics_document(const std::vector<Metrics::Reading>& readings) {
  ordered_json document = ordered_json::object();
  for (const Metrics::Reading& reading : readings) {
    ordered_json& value = document[reading.scope][reading.name];
    switch (reading.kind) {
      case Metrics::Reading::Kind::counter:
        value = reading.count;
        break;
      case Metrics::Reading::Kind::gauge:
        value = reading.value;
        break;
      case Metrics::Reading::Kind::histogram:
        value = {
            {"count", reading.count}, {"sum", reading.value}, {"p50", reading.p50}, {"p99", reading.p99}};
    }
  }
  return document;
}

ordered_json explanation_document(const route::Rules::Explanation& explanation,
                                  const std::vector<route::Rule>& rules) {
  ordered_json document;
  document["topic"] = explanation.topic;
  document["rules"] = ordered_json::array();
  for (const auto& line : explanation.lines) {
    const route::Rule& rule = rules[line.rule];
    document["rules"].push_back({{"match", rule.match},
                                 {"matched", line.matched},
                                 {"to", rule.to},
                                 {"took", line.took},
                                 {"why", line.why},
                                 {"place", to_string(rule.place)}});
  }
  document["outputs"] = ordered_json::array();
  for (const auto& outcome : explanation.outcomes) {
    document["outputs"].push_back({{"output", outcome.output},
                                   {"topic", outcome.topic.empty() ? explanation.topic : outcome.topic},
                                   {"rule", outcome.rule + 1},
                                   {"problem", outcome.problem}});
  }
  return document;
}

}  // namespace sluice
