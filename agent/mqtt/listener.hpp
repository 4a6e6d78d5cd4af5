// SPDX-License-Identifier: Apache-2.0
// Whom the session tells what happens. All calls come from the session's thread, on_room() also from one that calls
// give_room_here(); one at a time, never from inside publish(), and may call the session back; none may block.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/message.hpp"
#include "mqtt/publication.hpp"

namespace sluice::mqtt {

class Listener {
 public:
  virtual ~Listener() = default;

  /// Connected and accepted. With `in_flight_kept` the tokens without an answer stay in flight and are answered
  /// later. Without, the session has forgotten all of them: publish them again, from the start.
  virtual void on_link_up(bool in_flight_kept) = 0;
  /// The link that was up is down; `reason` is for people.
  virtual void on_link_down(std::string_view reason) = 0;
  /// The window may have room: publish until `full`. Comes after on_link_up(), after answers, and after wake().
  virtual void on_room() = 0;
  /// PUBACK or PUBCOMP with a good reason (QoS 0: written to the socket). Before MQTT 5 every answer is good.
  virtual void on_acknowledged(std::uint64_t token) = 0;
  /// The broker refused it with the MQTT 5 `reason` (mqtt/reason.hpp has it in words). `for_good`: the same
  /// message will be refused again; otherwise keep it and back off. Reason 0 is no refusal: a QoS 0 publication
  /// was not written before the link went down; publish it again.
  virtual void on_refused(std::uint64_t token, std::uint8_t reason, bool for_good) = 0;
  /// A message from a subscription. It carries payload and properties; its time is that of its arrival.
  virtual void on_message(Message&& message, const Inbound& inbound) = 0;
};

}  // namespace sluice::mqtt
