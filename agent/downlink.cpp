// SPDX-License-Identifier: Apache-2.0
#include "downlink.hpp"

#include <cmath>
#include <ctime>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>

#include "encode/encoder.hpp"

namespace sluice {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t largest_searched_payload = std::size_t{64} << 10U;
constexpr std::chrono::seconds answer_expiry{60};

// RFC 3339 ("2026-01-31T12:00:00.5Z", "…+02:00"), or a number of seconds or milliseconds since 1970 UTC.
std::optional<Nanoseconds> parse_ts(const ordered_json& ts) {
  if (ts.is_number()) {
    const double number = ts.get<double>();
    constexpr double first_in_milliseconds = 1e11;
    const double seconds = number >= first_in_milliseconds ? number / 1e3 : number;
    if (!(std::abs(seconds) < 9e9)) return std::nullopt;
    return Nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  }
  if (!ts.is_string()) return std::nullopt;
  std::istringstream in(ts.get<std::string>());
  std::tm date{};
  in >> std::get_time(&date, "%Y-%m-%dT%H:%M:%S");
  if (in.fail()) return std::nullopt;
  double fraction = 0;
  if (in.peek() == '.') {
    std::string digits = "0";
    do {
      digits += static_cast<char>(in.get());
    } while (in.peek() >= '0' && in.peek() <= '9');
    fraction = std::stod(digits);
  }
  int offset_minutes = 0;
  const int sign = in.get();
  if (sign == '+' || sign == '-') {
    int hours = 0;
    int minutes = 0;
    char colon = 0;
    in >> hours >> colon >> minutes;
    if (in.fail() || colon != ':') return std::nullopt;
    offset_minutes = (sign == '+' ? 1 : -1) * (hours * 60 + minutes);
  } else if (sign != 'Z' && sign != 'z') {
    return std::nullopt;
  }
  return std::chrono::seconds(timegm(&date)) - std::chrono::minutes(offset_minutes) +
         Nanoseconds(static_cast<std::int64_t>(fraction * 1e9));
}

std::optional<Nanoseconds> time_of(const Message& command) {
  if (!command.payload || command.payload->size() > largest_searched_payload) return std::nullopt;
  if (command.payload->find("\"ts\"") == std::string::npos) return std::nullopt;
  const ordered_json payload = ordered_json::parse(*command.payload, nullptr, false);
  if (!payload.is_object() || !payload.contains("ts")) return std::nullopt;
  return parse_ts(payload["ts"]);
}

}  // namespace

Downlink::Downlink(Route route, Reply reply, const Clock& clock, Metrics& metrics, Log log)
    : route_(std::move(route)),
      reply_(std::move(reply)),
      clock_(clock),
      log_(std::move(log)),
      received_(metrics.counter("downlink", "received")),
      expired_(metrics.counter("downlink", "expired")),
      refused_(metrics.counter("downlink", "refused")),
      answered_(metrics.counter("downlink", "answered")) {}

void Downlink::received(Message&& command, bool retained) {
  received_.add();
  if (retained) {
    expired_.add();
    log_.warn("{}: a retained message is not carried out as a command: nobody knows how old it is",
              command.topic);
    answer(command, false, "expired: retained messages are not carried out", {});
    return;
  }
  const std::optional<Nanoseconds> sent = time_of(command);
  if (sent && clock_.wall() - *sent > oldest) {
    expired_.add();
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall() - *sent);
    log_.warn("{}: a command that is {} s old is not carried out any more", command.topic, age.count());
    answer(command, false, "expired: sent " + std::to_string(age.count()) + " s ago", {});
    return;
  }
  Message header;  // what an answer needs, since the command moves on
  header.topic = command.topic;
  header.response_topic = command.response_topic;
  header.correlation_data = command.correlation_data;
  switch (route_(std::move(command))) {
    case Router::Outcome::delivered:
      return;
    case Router::Outcome::unrouted:
      refuse(header, "no route takes messages on " + header.topic);
      return;
    case Router::Outcome::undelivered:
      refuse(header, "the destination is not running, or its mailbox is full");
      return;
  }
}

void Downlink::completed(const Delivery& delivery, const plugin::Completion& completion) {
  const Message& command = *delivery.message;
  if (!command.input.empty()) return;
  switch (completion.outcome) {
    case plugin::Outcome::done:
      answer(command, true, "", completion.samples);
      return;
    case plugin::Outcome::refused:
      refuse(command, completion.text);
      return;
    case plugin::Outcome::timed_out:
      refuse(command, "no answer in time");
      return;
    case plugin::Outcome::stopped:
      refuse(command, "the instance was stopped");
      return;
  }
}

void Downlink::refuse(const Message& command, const std::string& why) {
  refused_.add();
  log_.warn("{}: command refused: {}", command.topic, why);
  answer(command, false, why, {});
}

void Downlink::answer(const Message& command, bool ok, const std::string& error,
                      const std::vector<Sample>& result) {
  if (command.response_topic.empty()) return;
  auto message = std::make_shared<Message>();
  message->time.wall_ns = clock_.wall().count();
  message->time.monotonic_ns = clock_.monotonic().count();
  message->time.boot = clock_.boot();

  ordered_json document;
  document["ok"] = ok;
  if (!error.empty()) document["error"] = error;
  if (result.empty()) {
    document["ts"] = encode::rfc3339(message->time.wall_ns);
  } else {
    message->samples = result;
    document.update(ordered_json::parse(encode::encode(Delivery{message, {}, {}})));
    message->samples.clear();
  }
  message->payload = document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  message->topic = command.response_topic;
  message->correlation_data = command.correlation_data;
  message->content_type = "application/json";
  message->expiry = answer_expiry;
  answered_.add();
  reply_(Delivery{std::move(message), {}, {}});
}

}  // namespace sluice
