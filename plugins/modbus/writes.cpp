// SPDX-License-Identifier: Apache-2.0
#include "writes.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace sluice::modbus {
namespace {

struct Stopping {};

bool is_called(const Unit& unit, std::string_view name) {
  return name == unit.options().name || name == std::to_string(unit.options().id);
}

}  // namespace

Writes::Writes(Host host, const std::vector<std::unique_ptr<Unit>>& units, Exchange& exchange,
               unsigned retries)
    : host_(host),
      units_(units),
      exchange_(exchange),
      retries_(retries),
      writes_(host.counter("writes")),
      refused_(host.counter("writes_refused")) {}

bool Writes::take() {
  if (!waiting_.empty()) return true;
  const Received received = host_.receive(std::chrono::nanoseconds(0));
  for (const ReceivedMessage& message : received) {
    try {
      waiting_.push_back(Job{message.token(), check(message)});
    } catch (const std::invalid_argument& why) {
      ++refused_;
      host_.refuse(message.token(), why.what());
    }
  }
  return !received.stopped();
}

bool Writes::serve_one() {
  if (waiting_.empty()) return true;
  const Job job = std::move(waiting_.front());
  waiting_.pop_front();
  try {
    Message result;
    for (const Order& order : job.orders) {
      Sample sample = carry_out(order);
      if (job.orders.size() == 1) sample.name = "value";
      result.sample(sample);
    }
    host_.complete(job.token, result);
  } catch (const std::runtime_error& why) {
    ++refused_;
    host_.refuse(job.token, why.what());
  } catch (const Stopping&) {
    return false;
  }
  return true;
}

// Everything that can be found out without the bus, for all tags before the first is written.
std::vector<Writes::Order> Writes::check(const ReceivedMessage& message) const {
  const auto is_unit = [this](std::string_view name) {
    return std::any_of(units_.begin(), units_.end(),
                       [&](const auto& unit) { return is_called(*unit, name); });
  };
  std::vector<Order> orders;
  for (const Command& command : commands_of(message, is_unit)) {
    Order order = find(command);
    if (!order.tag->writable) throw std::invalid_argument("tag \"" + command.tag + "\" is not writable");
    try {
      order.encoded = encode(*order.tag, command.value);
    } catch (const std::invalid_argument& why) {
      throw std::invalid_argument("tag \"" + command.tag + "\": " + why.what());
    }
    const bool twice = std::any_of(orders.begin(), orders.end(),
                                   [&](const Order& other) { return other.tag->name == order.tag->name; });
    if (twice) throw std::invalid_argument("tag \"" + command.tag + "\" is there twice");
    orders.push_back(std::move(order));
  }
  if (orders.empty()) throw std::invalid_argument("expected a payload or samples");
  return orders;
}

Writes::Order Writes::find(const Command& command) const {
  Order found{nullptr, nullptr, {}};
  for (const auto& unit : units_) {
    if (!command.unit.empty() && !is_called(*unit, command.unit)) continue;
    for (const Tag& tag : unit->options().tags) {
      if (tag.name != command.tag) continue;
      if (found.tag != nullptr) {
        throw std::invalid_argument("several units have a tag \"" + command.tag +
                                    "\": say which by \"unit\"");
      }
      found.unit = unit.get();
      found.tag = &tag;
    }
  }
  if (found.tag == nullptr) {
    throw std::invalid_argument((command.unit.empty() ? "no unit" : "unit \"" + command.unit + "\"") +
                                (command.unit.empty() ? " has a tag \"" : " has no tag \"") + command.tag +
                                "\"");
  }
  return found;
}

Sample Writes::carry_out(const Order& order) {
  const Tag& tag = *order.tag;
  if (order.unit->state() == Unit::State::aside) {
    throw std::runtime_error("unit \"" + order.unit->options().name + "\" does not answer and is put aside");
  }
  std::vector<std::uint16_t> words = order.encoded.words;
  if (order.encoded.mask != 0xFFFF) {
    // A part of a register: what stands in the rest of it is written again. Between the two requests it may change.
    const Pdu pdu = read_pdu(tag.kind, tag.address, 1);
    const std::uint16_t held = words_of(pdu, ask(order, pdu).pdu)[0];
    words[0] = static_cast<std::uint16_t>((held & ~order.encoded.mask) | (words[0] & order.encoded.mask));
  }
  ask(order, write_pdu(tag.kind, tag.address, words, tag.write_multiple));
  ++writes_;
  return read_back(order, words);
}

Reply Writes::ask(const Order& order, const Pdu& pdu) {
  Reply reply = exchange_.request(*order.unit, pdu, retries_);
  if (reply.outcome == Outcome::stopped) throw Stopping();
  if (reply.outcome == Outcome::ok) return reply;
  std::string text = "tag \"" + order.tag->name + "\": " + reply.error;
  const bool unsure = reply.outcome != Outcome::exception && reply.outcome != Outcome::down && pdu[0] > 4;
  if (unsure) text += "; whether the value was written is not known";
  throw std::runtime_error(text);
}

Sample Writes::read_back(const Order& order, const std::vector<std::uint16_t>& written) {
  const Tag& tag = *order.tag;
  Sample sample{tag.name, decode(tag, written.data()).value, Quality::Good, {}};
  if (!tag.read_back) return sample;
  const Pdu pdu = read_pdu(tag.kind, tag.address, tag.width());
  const Reply reply = exchange_.request(*order.unit, pdu, retries_);
  if (reply.outcome == Outcome::stopped) throw Stopping();
  if (reply.outcome != Outcome::ok) {
    sample.quality = Quality::Stale;
    sample.error = "written, but not read back: " + reply.error;
    return sample;
  }
  const std::vector<std::uint16_t> held = words_of(pdu, reply.pdu);
  sample.value = decode(tag, held.data()).value;
  if (held != written) {
    sample.quality = Quality::Bad;
    sample.error = "the unit holds another value than was written";
  }
  return sample;
}

}  // namespace sluice::modbus
