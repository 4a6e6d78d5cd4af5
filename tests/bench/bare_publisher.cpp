// SPDX-License-Identifier: Apache-2.0
// The client library alone as a publisher at QoS 1, for the comparison.
//   bare_publisher PORT flood COUNT WINDOW [FIRST]   as fast as acknowledged, WINDOW unanswered at most
//   bare_publisher PORT replayed COUNT WINDOW        the same, each with the properties that the agent gives its backlog
//   bare_publisher PORT paced COUNT RATE             RATE a second, each with the time at which it is published, and the
//                                                    properties that the agent gives it
// Prints one line of JSON: seconds from CONNACK to the last PUBACK, messages a second, processor seconds.
#include <mqtt_protocol.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/bare_client.hpp"
#include "bench/payload.hpp"

namespace {

using namespace sluice::bench;

class Publisher : public BareClient {
 public:
  Publisher(int port, int window) : BareClient("bare-publisher", port) {
    // The library keeps a window of its own, too, and is quicker where it need not queue.
    mosquitto_int_option(handle(), MOSQ_OPT_SEND_MAXIMUM, window);
    mosquitto_publish_v5_callback_set(handle(),
                                      [](mosquitto*, void* self, int, int reason, const mosquitto_property*) {
                                        if (reason >= 0x80) throw_refused(reason);
                                        ++static_cast<Publisher*>(self)->answered_;
                                      });
  }
  void publish(std::uint64_t number, const mosquitto_property* properties = nullptr) {
    const std::string payload = make_payload(number, wall_ns());
    check(mosquitto_publish_v5(handle(), nullptr, topic, static_cast<int>(payload.size()), payload.data(), 1,
                               false, properties));
    ++sent_;
  }
  /// With the properties that the agent gives a message.
  void publish_the_same(std::uint64_t number, bool replayed) {
    mosquitto_property* properties = nullptr;
    check(mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, "application/json"));
    check(mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY, "id",
                                             ("1/" + std::to_string(number + 1)).c_str()));
    if (replayed) {
      check(mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY, "replayed", "true"));
    }
    publish(number, properties);
    mosquitto_property_free_all(&properties);
  }
  std::uint64_t unanswered() const { return sent_ - answered_; }

 private:
  [[noreturn]] static void throw_refused(int reason) {
    std::fprintf(stderr, "refused: %d\n", reason);
    std::exit(1);
  }
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
};

template <typename Publish>
void flood(Publisher& publisher, std::uint64_t first, std::uint64_t count, std::uint64_t window,
           Publish publish) {
  for (std::uint64_t i = first; i < first + count;) {
    while (i < first + count && publisher.unanswered() < window) publish(i++);
    publisher.turn(std::chrono::seconds(1));
  }
}

void pace(Publisher& publisher, std::uint64_t count, double rate) {
  const Steady::time_point begin = Steady::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto due =
        begin + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(i) * 1e9 / rate));
    for (auto left = due - Steady::now(); left.count() > 0; left = due - Steady::now()) publisher.turn(left);
    publisher.publish_the_same(i, false);
  }
}

double processor_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr,
                 "usage: bare_publisher PORT flood COUNT WINDOW [FIRST] | PORT replayed COUNT WINDOW | PORT "
                 "paced COUNT RATE\n");
    return 64;
  }
  const std::string how = argv[2];
  const bool paced = how == "paced";
  const std::uint64_t count = std::strtoull(argv[3], nullptr, 10);
  const double rate = std::atof(argv[4]);
  const std::uint64_t window = paced ? 1000 : static_cast<std::uint64_t>(rate);
  Publisher publisher(std::atoi(argv[1]), static_cast<int>(window));
  const Steady::time_point begin = Steady::now();
  if (paced) {
    pace(publisher, count, rate);
  } else if (how == "replayed") {
    flood(publisher, 0, count, window, [&](std::uint64_t i) { publisher.publish_the_same(i, true); });
  } else {
    flood(publisher, argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 0, count, window,
          [&](std::uint64_t i) { publisher.publish(i); });
  }
  while (publisher.unanswered() > 0) publisher.turn(std::chrono::seconds(1));
  const double seconds = std::chrono::duration<double>(Steady::now() - begin).count();
  std::printf(R"({"seconds":%.6f,"rate":%.1f,"processor_seconds":%.3f})"
              "\n",
              seconds, static_cast<double>(count) / seconds, processor_seconds());
}
