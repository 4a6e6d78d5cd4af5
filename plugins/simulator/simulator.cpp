// SPDX-License-Identifier: Apache-2.0
//
// The plugin `simulator`: messages without a device, for demonstrations, tests and benchmarks.
#include "pace.hpp"
#include "signal.hpp"

#include <sluice/plugin.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace simulator {

namespace {

using sluice::setting;

constexpr std::uint64_t batch_size = 256;  // messages that are emitted together at most

Kind kind_of(std::string_view name) {
  if (name == "sine") return Kind::sine;
  return name == "random-walk" ? Kind::random_walk : Kind::counter;
}

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class Simulator {
 public:
  static sluice::Description describe() {
    return sluice::Description("simulator", "1.0.0",
                               "Makes up measurements, for demonstrations, tests and benchmarks.")
        .emits()
        .settings({
            setting("signal")
                .string()
                .choices({"counter", "sine", "random-walk"})
                .defaults("counter")
                .help("What the values do: count from 0, swing between -1 and 1, or wander off from 0."),
            setting("rate")
                .number()
                .range(0, 10'000'000)
                .defaults(1.0)
                .unit("1/s")
                .help("Messages a second, from 1000 on together every 10 ms; 0: as fast as the agent accepts "
                      "them."),
            setting("count").integer().at_least(0).defaults(0).help(
                "How many messages to send before the instance ends; 0: without end."),
            setting("payload_size")
                .integer()
                .range(0, 1'048'576)
                .defaults(0)
                .unit("bytes")
                .help("Padding in every message, as a second sample `padding`."),
        });
  }

  Simulator(sluice::Host host, const sluice::Settings& settings)
      : host_(host),
        signal_(kind_of(settings["signal"].as<std::string_view>())),
        rate_(settings["rate"].as<double>()),
        left_(settings["count"].as<std::uint64_t>()),
        padding_(settings["payload_size"].as<std::size_t>(), 'x') {
    if (left_ == 0) left_ = std::numeric_limits<std::uint64_t>::max();
  }

  // Ends early, and for good, when all messages are sent.
  void run() {
    Pace pace(rate_ > 0 ? rate_ : 1, now());
    while (left_ > 0) {
      const std::uint64_t due = rate_ > 0 ? pace.due(now()) : batch_size;
      if (due == 0) {
        const std::int64_t now_ns = now();
        if (!host_.wait(std::chrono::nanoseconds(pace.next_look_ns(now_ns) - now_ns))) return;
        continue;
      }
      const std::uint64_t size = std::min({due, left_, batch_size});
      if (!emit(size)) return;
      pace.taken(size);
      left_ -= size;
    }
  }

 private:
  bool emit(std::uint64_t size) {
    batch_.resize(size);
    for (sluice::Message& message : batch_) {
      signal_.next(message.clear());
      if (!padding_.empty()) message.sample("padding", padding_);
    }
    return host_.emit_waiting(batch_);
  }

  const sluice::Host host_;
  Signal signal_;
  const double rate_;
  std::uint64_t left_;
  const std::string padding_;
  std::vector<sluice::Message> batch_;  // used again and again: what it has allocated stays
};

}  // namespace simulator

SLUICE_PLUGIN(simulator::Simulator);
