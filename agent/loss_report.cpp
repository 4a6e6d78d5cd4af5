// SPDX-License-Identifier: Apache-2.0
#include "loss_report.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "encode/encoder.hpp"
#include "mqtt/reason.hpp"

namespace sluice {
namespace {

constexpr unsigned most_cuts = 3;

}  // namespace

LossReport::LossReport(const std::string& status_topic, queue::Queue& queue, const Clock& clock, Log log)
    : topic_(status_topic.empty() ? "" : status_topic + "/loss"),
      queue_(queue),
      clock_(clock),
      log_(std::move(log)) {}

bool LossReport::send(mqtt::Session& session) {
  if (topic_.empty() || cut_short_ >= most_cuts) return true;
  bool room = true;
  for (const queue::Loss& loss : queue_.take_losses()) {
    mqtt::Publication publication;
    publication.topic = topic_;
    publication.payload = payload_of(loss);
    publication.content_type = "application/json";
    publication.token = token_bit | next_++;
    std::string why;
    const mqtt::PublishResult result = room ? session.publish(publication, &why) : mqtt::PublishResult::full;
    switch (result) {
      case mqtt::PublishResult::sent:
        on_their_way_[publication.token] = loss.id;
        break;
      case mqtt::PublishResult::refused:
        log_.error("{}: {} messages were dropped ({}), which cannot be told there: {}", topic_, loss.count,
                   queue::name_of(loss.limit), why);
        queue_.acknowledge_loss(loss.id);
        break;
      default:
        queue_.give_back_loss(loss.id);
        room = false;
    }
  }
  return room;
}

std::string LossReport::payload_of(const queue::Loss& loss) const {
  const nlohmann::ordered_json document = {{"ts", encode::rfc3339(clock_.wall().count())},
                                           {"id", loss.id},
                                           {"reason", queue::name_of(loss.limit)},
                                           {"dropped", loss.newest ? "newest" : "oldest"},
                                           {"filter", loss.filter},
                                           {"from", encode::rfc3339(loss.first_ns)},
                                           {"to", encode::rfc3339(loss.last_ns)},
                                           {"count", loss.count}};
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string LossReport::take(std::uint64_t token) {
  const auto found = on_their_way_.extract(token);
  return found.empty() ? std::string() : found.mapped();
}

void LossReport::acknowledged(std::uint64_t token) {
  cut_short_ = 0;
  queue_.acknowledge_loss(take(token));
}

void LossReport::refused(std::uint64_t token, std::uint8_t reason, bool for_good) {
  const std::string id = take(token);
  if (!for_good) {
    queue_.give_back_loss(id);
    return;
  }
  log_.error("{}: what was dropped cannot be told there: {}", topic_, mqtt::reason_in_words(reason));
  queue_.acknowledge_loss(id);
}

bool LossReport::link_down() {
  if (on_their_way_.empty() || ++cut_short_ < most_cuts) return false;
  if (cut_short_ == most_cuts) {
    log_.error(
        "{}: the broker closed the connection each time that a loss was to be told there: it is told no more",
        topic_);
  }
  return true;
}

void LossReport::link_lost() {
  for (const auto& [token, id] : std::exchange(on_their_way_, {})) queue_.give_back_loss(id);
}

}  // namespace sluice
