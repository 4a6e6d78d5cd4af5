// SPDX-License-Identifier: Apache-2.0
#include "forwarder.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "expiry.hpp"
#include "mqtt/reason.hpp"

namespace sluice {
namespace {

// Tokens of replies have the highest bit set, those of the queue are its sequences.
constexpr std::uint64_t reply_token = std::uint64_t{1} << 63U;
constexpr std::size_t taken_at_once = 16;
constexpr std::size_t most_replies = 1000;
constexpr std::size_t most_reply_bytes = std::size_t{256} << 10U;
constexpr std::size_t most_gathered_bytes = std::size_t{1} << 20U;

}  // namespace

Forwarder::Forwarder(ForwarderOptions options, mqtt::Options session, queue::Queue& queue, Receive receive,
                     const Clock& clock, Metrics& metrics, const Log& log)
    : options_(options),
      queue_(queue),
      receive_(std::move(receive)),
      clock_(clock),
      log_(log),
      forwarded_(metrics.counter("forwarder", "acknowledged")),
      refused_(metrics.counter("forwarder", "refused")),
      dead_lettered_(metrics.counter("forwarder", "dead_lettered")),
      expired_(metrics.counter("forwarder", "expired")),
      replies_dropped_(metrics.counter("forwarder", "replies_dropped")),
      replies_(most_replies, most_reply_bytes),
      pause_(options.retry_min, options.retry_max),
      writer_(options.publication),
      losses_(session.status_topic, queue, clock, log),
      replay_(options.replay_rate, clock),
      backlog_window_(clock),
      gathering_(element_form(options.publication), most_gathered_bytes, clock),
      session_(std::move(session), *this, clock, metrics, log) {
  queue_.on_ready([this](bool appended) { appended ? session_.give_room_here() : session_.wake(); });
}

void Forwarder::start() {
  session_.start();
}

void Forwarder::stop(std::chrono::milliseconds within) {
  session_.stop(within);
}

void Forwarder::wake() {
  session_.wake();
}

Push Forwarder::reply(Delivery&& delivery) {
  const std::size_t bytes = footprint(delivery);
  const Push pushed = replies_.push(std::move(delivery), bytes);
  if (pushed == Push::ok) {
    session_.wake();
  } else {
    replies_dropped_.add();
  }
  return pushed;
}

void Forwarder::on_link_up(bool in_flight_kept) {
  replay_.link_up();
  backlog_window_.link_up();
  queue_.link_up();
  if (in_flight_kept) return;
  losses_.link_lost();
  for (Held& held : held_) held.published = false;
  unpublished_ = held_.size();
}

void Forwarder::on_link_down(std::string_view) {
  if (losses_.link_down()) session_.forget_in_flight();
  const auto head = std::find_if(held_.begin(), held_.end(), [](const Held& held) { return held.published; });
  if (head == held_.end()) return;
  const std::uint64_t token = head->token;
  if (suspect_ == token) {
    if (++losses_alone_ >= options_.disconnections) {
      bury(head, "the broker closed the connection each time it was published, alone in the end");
    }
    // The library would send it again by itself, also once it is buried.
    session_.forget_in_flight();
    return;
  }
  losses_at_head_ = token == head_at_loss_ ? losses_at_head_ + 1 : 1;
  head_at_loss_ = token;
  if (losses_at_head_ >= options_.disconnections) {
    suspect(token, "the link was lost " + std::to_string(losses_at_head_) +
                       " times in a row while it waited for its answer");
    session_.forget_in_flight();
  }
}

void Forwarder::on_room() {
  backlog_window_.adapt(session_.window());
  if (!send_replies() || is_pausing() || !losses_.send(session_)) return;
  gathering_.release_due(ready_);
  hold(ready_);
  // What of the backlog has been taken waits for what is live, too.
  if (options_.live_first && !suspect_ && unpublished_ > 0 && unpublished_ <= taken_at_once) take(false);
  while (send_held() && !suspect_ && take(may_send_backlog())) {
  }
}

bool Forwarder::take(bool backlog) {
  taken_.clear();
  queue_.take(taken_, taken_at_once, backlog);
  for (queue::Outgoing& outgoing : taken_) {
    const bool replayed = replay_.is_replayed(outgoing);
    gathering_.add(std::move(outgoing), replayed, ready_);
  }
  hold(ready_);
  return !taken_.empty();
}

void Forwarder::hold(std::vector<Parcel>& parcels) {
  for (Parcel& parcel : parcels) {
    const std::uint64_t token = parcel.parts.front().sequence;
    Place place = held_.end();
    if (options_.live_first && !parcel.replayed) {
      while (place != held_.begin() && may_overtake(token, *std::prev(place))) --place;
    }
    held_.insert(place, {.parcel = std::move(parcel), .token = token});
    ++unpublished_;
  }
  parcels.clear();
}

// Whether what is live goes before this one, which is held.
bool Forwarder::may_overtake(std::uint64_t token, const Held& held) {
  return !held.published && held.parcel.replayed && queue::lane_of(held.token) >= queue::lane_of(token);
}

void Forwarder::on_acknowledged(std::uint64_t token) {
  if ((token & reply_token) != 0) return;
  if (LossReport::is_token(token)) {
    losses_.acknowledged(token);
    return;
  }
  const Place held = find(token);
  if (held == held_.end()) return;
  ++acknowledged_;
  forwarded_.add(held->parcel.parts.size());
  pause_.reset();
  if (held->sent_at) backlog_window_.answered(*held->sent_at);
  for (const queue::Outgoing& part : held->parcel.parts) queue_.acknowledge(part.sequence);
  held_.erase(held);
  if (suspect_ == token) clear_suspect();
}

void Forwarder::on_refused(std::uint64_t token, std::uint8_t reason, bool for_good) {
  if ((token & reply_token) != 0) {
    if (reason != 0) replies_dropped_.add();
    return;
  }
  if (LossReport::is_token(token)) {
    losses_.refused(token, reason, for_good);
    if (!for_good && reason != 0) paused_until_ = clock_.monotonic() + pause_.next();
    return;
  }
  const Place held = find(token);
  if (held == held_.end()) return;
  if (reason != 0) refused_.add();
  if (for_good) {
    bury(held, "refused by the broker: " + std::string(mqtt::reason_in_words(reason)), reason);
    return;
  }
  held->published = false;
  ++unpublished_;
  if (reason == 0) return;
  if (suspect_ == token) {
    bury(held,
         "refused by the broker again and again, alone in the end: " +
             std::string(mqtt::reason_in_words(reason)),
         reason);
    return;
  }
  if (held->refusals == 0 || acknowledged_ > held->passed_before) ++held->refusals;
  held->passed_before = acknowledged_;
  // What was published together is refused together: one pause for all of it.
  if (held->round == rounds_) {
    ++rounds_;
    const auto pause = pause_.next();
    paused_until_ = clock_.monotonic() + pause;
    log_.with(LogField::reason_code, reason)
        .warn("{}: refused by the broker: {}; kept, like what was sent with it, next try in {} ms",
              held->parcel.topic(), mqtt::reason_in_words(reason), pause.count());
  }
  if (held->refusals >= options_.refusals) {
    suspect(token, "refused " + std::to_string(held->refusals) + " times while others passed");
  }
}

void Forwarder::on_message(Message&& message, const mqtt::Inbound& inbound) {
  receive_(std::move(message), inbound);
}

// False: no room, or no link.
bool Forwarder::send_replies() {
  for (Delivery& reply : replies_.take(most_replies, Nanoseconds(0)))
    waiting_replies_.push_back(std::move(reply));
  while (!waiting_replies_.empty()) {
    queue::Outgoing outgoing;
    outgoing.delivery = waiting_replies_.front();
    mqtt::Publication& publication = writer_.write(outgoing, outgoing.delivery.message->expiry, false);
    publication.token = reply_token | next_reply_;
    std::string why;
    const mqtt::PublishResult result = session_.publish(publication, &why);
    if (result == mqtt::PublishResult::full || result == mqtt::PublishResult::down) return false;
    if (result == mqtt::PublishResult::refused) {
      replies_dropped_.add();
      log_.warn("{}: the answer to a command cannot be published: {}", publication.topic, why);
    }
    ++next_reply_;
    waiting_replies_.pop_front();
  }
  return true;
}

// Publishes what is held and not in flight, the suspect alone; false: there is no room for more, or no link.
bool Forwarder::send_held() {
  // What replay_rate holds back holds up what comes after it in its lane, where that is to stay in order.
  std::array<bool, queue::lane_count> held_up{};
  for (std::size_t i = 0; unpublished_ > 0 && i < held_.size();) {
    Held& held = held_[i];
    bool& lane_held_up = held_up[queue::index_of(queue::lane_of(held.token))];
    if (held.published || (suspect_ && suspect_ != held.token) || lane_held_up) {
      ++i;
      continue;
    }
    switch (send(held)) {
      case Sent::yes:
        ++i;
        break;
      case Sent::not_now:
        return false;
      case Sent::not_its_turn:
        lane_held_up = !options_.live_first;
        ++i;
        break;
      case Sent::gone:
        break;
    }
  }
  return true;
}

Forwarder::Sent Forwarder::send(Held& held) {
  const std::uint64_t token = held.token;
  const std::chrono::seconds expiry = drop_expired(held.parcel);
  if (held.parcel.parts.empty()) {
    held_.erase(find(token));
    --unpublished_;
    if (suspect_ == token) clear_suspect();
    return Sent::gone;
  }
  const bool replayed = held.parcel.replayed || replay_.is_replayed(held.parcel.parts.front());
  if (replayed && !may_send_backlog()) return Sent::not_its_turn;
  mqtt::Publication& publication = writer_.write(held.parcel, expiry, replayed);
  publication.token = token;
  std::string why;
  switch (session_.publish(publication, &why)) {
    case mqtt::PublishResult::sent:
      if (replayed) replay_.sent(held.parcel.parts.size());
      held.published = true;
      held.sent_as_replayed = replayed;
      held.sent_at.reset();
      if (replayed && options_.live_first) held.sent_at = clock_.monotonic();
      held.round = rounds_;
      --unpublished_;
      return Sent::yes;
    case mqtt::PublishResult::refused:
      bury(find(token), why);
      return Sent::gone;
    default:
      return Sent::not_now;
  }
}

// What remains of the shortest expiry of those that are left; 0 = none of them has one.
std::chrono::seconds Forwarder::drop_expired(Parcel& parcel) {
  const bool synchronised = queue_.clock_is_synchronised();
  std::chrono::seconds shortest(0);
  const auto drop_if_expired = [&](const queue::Outgoing& part) {
    const std::optional<std::chrono::seconds> expiry = remaining_expiry(part.delivery, clock_, synchronised);
    if (!expiry) return false;
    if (expiry->count() > 0) {
      if (shortest.count() == 0 || *expiry < shortest) shortest = *expiry;
      return false;
    }
    expired_.add();
    queue_.expire(part.sequence);
    return true;
  };
  parcel.parts.erase(std::remove_if(parcel.parts.begin(), parcel.parts.end(), drop_if_expired),
                     parcel.parts.end());
  return shortest;
}

Forwarder::Place Forwarder::find(std::uint64_t token) {
  return std::find_if(held_.begin(), held_.end(), [&](const Held& held) { return held.token == token; });
}

// Dead-letters a message and goes on with the others. A batch is tried in parts first.
void Forwarder::bury(Place held, const std::string& reason, std::optional<std::uint8_t> code) {
  if (held->parcel.parts.size() > 1) {
    split(held, reason);
    return;
  }
  const std::uint64_t token = held->token;
  const queue::Outgoing& outgoing = held->parcel.parts.front();
  const Log log = code ? log_.with(LogField::reason_code, *code) : log_;
  log.error("{}: message {} is dead-lettered: {}; see `sluice buffer list --dead`", outgoing.delivery.topic(),
            outgoing.id, reason);
  dead_lettered_.add();
  queue_.dead_letter(outgoing.sequence, reason);
  if (!held->published) --unpublished_;
  held_.erase(held);
  if (suspect_ == token) clear_suspect();
}

// Into two halves, in its place, so that one that cannot pass is found among the others in a few steps.
void Forwarder::split(Place held, const std::string& why) {
  const std::uint64_t token = held->token;
  log_.warn("{}: a batch of {} is tried in halves: {}", held->parcel.topic(), held->parcel.parts.size(), why);
  if (held->published) ++unpublished_;
  held->published = false;
  held->refusals = 0;
  Parcel::Parts& first = held->parcel.parts;
  const auto middle = first.begin() + static_cast<std::ptrdiff_t>(first.size() / 2);
  Held second;
  second.parcel.batched = true;
  second.parcel.replayed = held->parcel.replayed;
  second.parcel.parts.assign(std::make_move_iterator(middle), std::make_move_iterator(first.end()));
  second.token = second.parcel.parts.front().sequence;
  first.erase(middle, first.end());
  held_.insert(std::next(held), std::move(second));
  ++unpublished_;
  if (suspect_ == token) clear_suspect();
}

void Forwarder::suspect(std::uint64_t token, const std::string& why) {
  const Place held = find(token);
  if (held->parcel.parts.size() > 1) {
    split(held, why);
    return;
  }
  log_.warn("{}: message {} is tried alone: {}", held->parcel.topic(), held->parcel.parts.front().id, why);
  suspect_ = token;
  losses_alone_ = 0;
  session_.limit_window(1);
}

void Forwarder::clear_suspect() {
  suspect_.reset();
  losses_at_head_ = 0;
  session_.limit_window(0);
}

// Where live messages go first, the backlog leaves them room, and waits for its answers.
bool Forwarder::may_send_backlog() {
  if (!replay_.may_send()) return false;
  if (!options_.live_first || backlog_window_.may_send(backlog_in_flight(), session_.window())) return true;
  session_.expect_answers(backlog_window_.worth_reading());
  return false;
}

std::size_t Forwarder::backlog_in_flight() const {
  return static_cast<std::size_t>(std::count_if(
      held_.begin(), held_.end(), [](const Held& held) { return held.published && held.sent_as_replayed; }));
}

bool Forwarder::is_pausing() const {
  return clock_.monotonic() < paused_until_;
}

}  // namespace sluice
