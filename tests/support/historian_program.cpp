// SPDX-License-Identifier: Apache-2.0
// The program behind historian.hpp: subscribes to everything with MQTT 5, QoS 1 and a session that the broker keeps, and writes a
// line for each message to a file, "ID TOPIC PAYLOAD". Prints "subscribed" each time it is; reconnects for as long as it runs.
//
//   historian PORT FILE
#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

std::string id_of(const mosquitto_property* properties) {
  char* name = nullptr;
  char* value = nullptr;
  std::string id = "-";
  bool skip = false;
  while ((properties = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY, &name, &value,
                                                           skip)) != nullptr) {
    if (std::string(name) == "id") id = value;
    std::free(name);
    std::free(value);
    skip = true;
  }
  return id;
}

void on_connect(mosquitto* client, void*, int reason, int, const mosquitto_property*) {
  if (reason == 0) mosquitto_subscribe(client, nullptr, "#", 1);
}
void on_subscribe(mosquitto*, void*, int, int, const int*) {
  std::puts("subscribed");
  std::fflush(stdout);
}
void on_message(mosquitto*, void* out, const mosquitto_message* message,
                const mosquitto_property* properties) {
  auto* const file = static_cast<std::FILE*>(out);
  std::fprintf(file, "%s %s %.*s\n", id_of(properties).c_str(), message->topic, message->payloadlen,
               static_cast<const char*>(message->payload));
  std::fflush(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  std::FILE* const out = std::fopen(argv[2], "w");
  if (out == nullptr) return 73;
  mosquitto_lib_init();
  mosquitto* const client = mosquitto_new("historian", false, out);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_connect_v5_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_message_v5_callback_set(client, on_message);
  mosquitto_property* properties = nullptr;
  mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 0xFFFFFFFF);
  mosquitto_reconnect_delay_set(client, 1, 1, false);
  const int port = std::atoi(argv[1]);
  for (;;) {
    // It comes back where the library gives up, too.
    if (mosquitto_connect_bind_v5(client, "127.0.0.1", port, 10, nullptr, properties) == MOSQ_ERR_SUCCESS) {
      mosquitto_loop_forever(client, -1, 1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}
