// SPDX-License-Identifier: Apache-2.0
#include "mqtt/subscriptions.hpp"

#include <algorithm>

#include "mqtt/reason.hpp"

namespace sluice::mqtt {
namespace {

constexpr std::uint8_t refused = 0x80;

}  // namespace

Subscriptions::Subscriptions(const Options& options, Log log)
    : version_(options.version),
      log_(std::move(log)),
      backoff_(options.reconnect_max, options.reconnect_max * 10) {
  for (const Subscription& subscription : options.subscriptions) {
    status_.emplace_back();
    status_.back().asked = subscription;
  }
}

void Subscriptions::subscribe(Client& client, std::size_t which, TimePoint now) {
  const Subscription& subscription = status_[which].asked;
  bool valid = false;
  const std::uint16_t id = client.subscribe(subscription.filter, subscription.qos, valid);
  if (id != 0) asked_[id] = {which, now};
  if (valid) return;
  status_[which].refusal = "not a valid topic filter";
  log_.error("subscription \"{}\": not a valid topic filter", subscription.filter);
}

void Subscriptions::subscribe_all(Client& client, TimePoint now) {
  asked_.clear();
  retry_at_.reset();
  for (std::size_t i = 0; i < status_.size(); ++i) {
    status_[i].answered = false;
    status_[i].granted = false;
    subscribe(client, i, now);
  }
}

void Subscriptions::retry(Client& client, TimePoint now) {
  if (!retry_at_ || now < *retry_at_) return;
  retry_at_.reset();
  for (std::size_t i = 0; i < status_.size(); ++i) {
    if (status_[i].answered && !status_[i].granted) subscribe(client, i, now);
  }
}

std::size_t Subscriptions::answered(std::uint16_t id, std::uint8_t code, TimePoint now) {
  const auto found = asked_.find(id);
  if (found == asked_.end()) return 0;
  SubscriptionStatus& status = status_[found->second.which];
  asked_.erase(found);
  status.answered = true;
  status.granted = code < refused;
  status.granted_qos = status.granted ? code : 0;
  if (!status.granted) {
    const std::string words = suback_in_words(code, version_);
    if (words != status.refusal) {
      log_.with(LogField::reason_code, code)
          .error("subscription \"{}\" refused: {}; no commands come by it until the broker allows it",
                 status.asked.filter, words);
    }
    status.refusal = words;
    if (!retry_at_) retry_at_ = now + backoff_.next();
    return 1;
  }
  if (status.granted_qos < status.asked.qos) {
    log_.warn("subscription \"{}\": granted QoS {}, {} was asked for", status.asked.filter,
              status.granted_qos, status.asked.qos);
  }
  status.refusal.clear();
  backoff_.reset();
  return 0;
}

std::optional<Subscriptions::TimePoint> Subscriptions::unanswered_since() const {
  std::optional<TimePoint> since;
  for (const auto& [id, asked] : asked_) since = since ? std::min(*since, asked.at) : asked.at;
  return since;
}

}  // namespace sluice::mqtt
