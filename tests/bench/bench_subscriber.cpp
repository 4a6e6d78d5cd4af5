// SPDX-License-Identifier: Apache-2.0
// A subscriber at QoS 1 that knows what has to come: the numbers 0 to COUNT - 1, each with its time.
//   bench_subscriber PORT FILTER COUNT [IDLE SECONDS]
// Prints "ready" when the broker has granted the subscription; when all numbers are there, or nothing has come for IDLE
// seconds (30), one line of JSON: how many came, missing and duplicates, when the first and the last came (wall clock,
// ns), the mean size of a payload, and the latencies in microseconds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/bare_client.hpp"
#include "bench/payload.hpp"

namespace {

using namespace sluice::bench;

class Subscriber : public BareClient {
 public:
  Subscriber(int port, const char* filter, std::uint64_t count)
      : BareClient("bench-subscriber", port), seen_(count) {
    latencies_.reserve(count);
    mosquitto_subscribe_v5_callback_set(
        handle(), [](mosquitto*, void* self, int, int, const int*, const mosquitto_property*) {
          static_cast<Subscriber*>(self)->granted_ = true;
        });
    mosquitto_message_v5_callback_set(
        handle(), [](mosquitto*, void* self, const mosquitto_message* message, const mosquitto_property*) {
          static_cast<Subscriber*>(self)->receive(*message);
        });
    check(mosquitto_subscribe(handle(), nullptr, filter, 1));
    while (!granted_) turn(std::chrono::milliseconds(100));
  }

  bool complete() const { return distinct_ == seen_.size(); }
  std::int64_t last_ns() const { return last_ns_; }

  void report() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto percentile = [&](double part) {
      return latencies_.empty() ? 0.0
                                : 1e-3 * static_cast<double>(latencies_[static_cast<std::size_t>(
                                             part * static_cast<double>(latencies_.size() - 1))]);
    };
    const auto came = static_cast<std::uint64_t>(latencies_.size());
    std::printf(
        R"({"received":%llu,"missing":%llu,"duplicates":%llu,"first_ns":%lld,"last_ns":%lld,"payload_bytes":%.1f,)"
        R"("p50_us":%.1f,"p99_us":%.1f,"max_us":%.1f})"
        "\n",
        static_cast<unsigned long long>(came), static_cast<unsigned long long>(seen_.size() - distinct_),
        static_cast<unsigned long long>(came - distinct_), static_cast<long long>(first_ns_),
        static_cast<long long>(last_ns_),
        came == 0 ? 0.0 : static_cast<double>(bytes_) / static_cast<double>(came), percentile(0.5),
        percentile(0.99), percentile(1));
  }

 private:
  void receive(const mosquitto_message& message) {
    const std::int64_t now = wall_ns();
    const auto content = read_payload(
        {static_cast<const char*>(message.payload), static_cast<std::size_t>(message.payloadlen)});
    if (!content || content->number >= seen_.size()) return;
    if (first_ns_ == 0) first_ns_ = now;
    last_ns_ = now;
    bytes_ += static_cast<std::uint64_t>(message.payloadlen);
    latencies_.push_back(now - content->time_ns);
    if (seen_[content->number]) return;
    seen_[content->number] = true;
    ++distinct_;
  }

  std::vector<bool> seen_;
  std::vector<std::int64_t> latencies_;
  std::uint64_t distinct_ = 0;
  std::uint64_t bytes_ = 0;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
  bool granted_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_subscriber PORT FILTER COUNT [IDLE SECONDS]\n");
    return 64;
  }
  Subscriber subscriber(std::atoi(argv[1]), argv[2], std::strtoull(argv[3], nullptr, 10));
  std::printf("ready\n");
  std::fflush(stdout);
  const std::int64_t idle_ns = static_cast<std::int64_t>((argc > 4 ? std::atof(argv[4]) : 30.0) * 1e9);
  const std::int64_t begin_ns = wall_ns();
  while (!subscriber.complete() && wall_ns() - std::max(begin_ns, subscriber.last_ns()) < idle_ns) {
    subscriber.turn(std::chrono::seconds(1));
  }
  subscriber.report();
}
