// SPDX-License-Identifier: Apache-2.0
// [mqtt], [mqtt.tls] and [[mqtt.subscribe]].
#include <algorithm>
#include <set>

#include "config/secrets.hpp"
#include "config/sections.hpp"
#include "config/words.hpp"
#include "route/topic.hpp"

namespace sluice::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class MqttReader {
 public:
  MqttReader(const Setting* table, const Reading& reading, Config& config)
      : reading_(reading), config_(config), options_(config.mqtt), mqtt_(reading.table(table, "[mqtt]")) {}

  void read() {
    read_brokers();
    read_identity();
    read_times();
    read_login();
    read_status_topic();
    read_tls(mqtt_.table("tls"));
    for (const Setting* subscription : mqtt_.tables("subscribe")) read_subscription(subscription);
    reading_.finish(mqtt_);
  }

 private:
  void read_brokers() {
    const Setting* list = mqtt_.find("brokers");
    const std::vector<std::string> urls = mqtt_.texts("brokers", {});
    if (list == nullptr || list->kind != SettingKind::list) return;
    options_.brokers.clear();
    if (list->children.empty()) mqtt_.refuse(*list, "at least one broker, such as \"mqtt://127.0.0.1:1883\"");
    for (const Setting& element : list->children) {
      const auto* url = std::get_if<std::string>(&element.value);
      if (url == nullptr) continue;
      // A user name and a password might stand before '@': neither belongs here, nor into a message.
      if (url->find('@') != std::string::npos) {
        reading_.problems.add(element,
                              "expected mqtt://HOST or mqtts://HOST, got a user name before '@': use "
                              "username and password_file");
        continue;
      }
      std::string why;
      if (const auto broker = mqtt::BrokerAddress::parse(*url, &why)) {
        options_.brokers.push_back(*broker);
      } else {
        reading_.problems.add(element, why + ", got " + quote(*url));
      }
    }
  }

  void read_identity() {
    options_.version =
        mqtt_.choice("version", options_.version,
                     {{"5", mqtt::Version::v5}, {"3.1.1", mqtt::Version::v311}, {"3.1", mqtt::Version::v31}});
    options_.client_id = with_agent(mqtt_.text("client_id", config_.agent.id), config_.agent.id);
    constexpr std::size_t max_client_id_v31 = 23;
    if (options_.client_id.empty()) {
      mqtt_.refuse(*mqtt_.find("client_id"), "a string that is not empty");
    } else if (options_.version == mqtt::Version::v31 && options_.client_id.size() > max_client_id_v31) {
      warn("version",
           "MQTT 3.1 knows client ids of at most 23 bytes: brokers may refuse " + quote(options_.client_id));
    }
    config_.id = mqtt_.choice(
        "id", config_.id,
        {{"property", IdTravel::property}, {"payload", IdTravel::payload}, {"none", IdTravel::none}});
    if (options_.version != mqtt::Version::v5 && config_.id == IdTravel::property) {
      warn(mqtt_.given("id") ? "id" : "version",
           "only MQTT 5 has user properties: messages travel without their id; id = \"payload\" puts it into "
           "the JSON");
    }
    options_.clean_start = mqtt_.boolean("clean_start", options_.clean_start);
    options_.session_expiry =
        mqtt_.duration_in("session_expiry", options_.session_expiry, {.max = seconds(0xFFFFFFFFLL)});
    const bool expires = options_.session_expiry > seconds(0);
    if (expires && (options_.clean_start || options_.version != mqtt::Version::v5)) {
      warn("session_expiry", "has no effect without version = \"5\" and clean_start = false");
    } else if (!expires && !options_.clean_start && options_.version == mqtt::Version::v5) {
      warn("clean_start",
           "with session_expiry = \"0s\" the broker forgets the session when the connection ends");
    }
  }

  void read_times() {
    options_.failback_after = mqtt_.duration_in("failback_after", options_.failback_after);
    options_.keepalive =
        mqtt_.duration_in("keepalive", options_.keepalive, {.min = seconds(5), .max = seconds(65535)});
    options_.connect_timeout = mqtt_.duration_in("connect_timeout", options_.connect_timeout,
                                                 {.min = milliseconds(100), .max = hours(1)});
    const DurationRange pause{.min = milliseconds(10), .max = hours(24)};
    options_.reconnect_min = mqtt_.duration_in("reconnect_min", options_.reconnect_min, pause);
    options_.reconnect_max = mqtt_.duration_in("reconnect_max", options_.reconnect_max, pause);
    if (options_.reconnect_min > options_.reconnect_max) {
      const Setting* at = mqtt_.find(mqtt_.given("reconnect_max") ? "reconnect_max" : "reconnect_min");
      mqtt_.refuse(*at, "reconnect_min (" + text(options_.reconnect_min) + ") to be at most reconnect_max (" +
                            text(options_.reconnect_max) + ")");
    }
    options_.max_inflight = static_cast<std::size_t>(
        mqtt_.integer("max_inflight", static_cast<std::int64_t>(options_.max_inflight), 1, 65535));
    options_.ack_timeout =
        mqtt_.duration_in("ack_timeout", options_.ack_timeout, {.min = seconds(1), .max = hours(24)});
  }

  void read_login() {
    options_.username = mqtt_.text("username", "");
    if (const Setting* file = named_file(mqtt_, "password_file")) {
      options_.password =
          read_secret(*file, reading_.environment, reading_.problems, reading_.warnings).value_or("");
      if (options_.username.empty() && options_.version != mqtt::Version::v5) {
        mqtt_.refuse(*file, "a username with it, which MQTT before 5 needs");
      }
    }
  }

  void read_status_topic() {
    options_.status_topic = with_agent(mqtt_.text("status_topic", "sluice/{agent}/status"), config_.agent.id);
    std::string why;
    const Setting* given = mqtt_.find("status_topic");
    if (given == nullptr || options_.status_topic.empty() || route::valid_topic(options_.status_topic, &why))
      return;
    reading_.problems.add(*given, "expected a topic, got " + describe_value(*given) + ": " + why);
  }

  void read_tls(const Setting* table) {
    TableReader tls = reading_.table(table, "[mqtt.tls]");
    mqtt::TlsOptions& options = options_.tls;
    options.ca_file = file(tls, "ca_file", find_file);
    options.cert_file = file(tls, "cert_file", find_file);
    options.key_file = file(tls, "key_file", find_private_file);
    options.server_name = tls.text("server_name", "");
    options.min_version = tls.choice<std::string>("min_version", options.min_version,
                                                  {{"1.1", "1.1"}, {"1.2", "1.2"}, {"1.3", "1.3"}});
    options.alpn = tls.text("alpn", "");
    options.psk_identity = tls.text("psk_identity", "");
    if (const Setting* psk = named_file(tls, "psk_file")) read_psk(tls, *psk);
    options.insecure = tls.boolean("insecure", options.insecure);
    together(tls, "cert_file", "key_file");
    together(tls, "psk_identity", "psk_file");
    if (!options.psk_identity.empty() && !options.cert_file.empty()) {
      reading_.warnings.add(*tls.find("cert_file"), "has no effect beside psk_identity");
    }
    if (options.insecure) reading_.warnings.add(*tls.find("insecure"), "anybody can pose as the broker");
    reading_.finish(tls);

    const bool used = std::any_of(options_.brokers.begin(), options_.brokers.end(),
                                  [](const mqtt::BrokerAddress& broker) { return broker.tls; });
    if (table != nullptr && !table->children.empty() && !used) {
      reading_.warnings.add(*table, "has no effect: no broker begins with mqtts://");
    }
  }

  void read_psk(TableReader& tls, const Setting& at) {
    const auto psk = read_secret(at, reading_.environment, reading_.problems, reading_.warnings);
    if (!psk) return;
    const bool hexadecimal = psk->find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (hexadecimal && psk->size() % 2 == 0) {
      options_.tls.psk = *psk;
    } else {
      tls.refuse(at, "a file with an even number of hexadecimal digits");
    }
  }

  // Each of the two is given, or neither.
  void together(TableReader& table, const char* first, const char* second) {
    const auto filled = [&](const char* key) {
      const Setting* setting = table.find(key);
      return setting != nullptr && !(setting->value == Value(std::string()));
    };
    if (filled(first) == filled(second)) return;
    const auto [there, missing] = filled(first) ? std::pair(first, second) : std::pair(second, first);
    reading_.problems.add(*table.find(there), std::string("expected ") + missing + " beside it");
  }

  void read_subscription(const Setting* element) {
    TableReader reader = reading_.table(element, "[[mqtt.subscribe]]");
    mqtt::Subscription subscription;
    subscription.filter = with_agent(reader.required_text("filter"), config_.agent.id);
    subscription.qos = static_cast<std::uint8_t>(reader.integer("qos", subscription.qos, 0, 2));
    std::string why;
    if (!subscription.filter.empty() && !route::valid_filter(subscription.filter, &why)) {
      const Setting* filter = reader.find("filter");
      reading_.problems.add(*filter, "expected a topic filter, got " + describe_value(*filter) + ": " + why);
    }
    if (!subscription.filter.empty() && !filters_.insert(subscription.filter).second) {
      reading_.problems.add(*reader.find("filter"), "is subscribed to twice: remove one of the two");
    }
    options_.subscriptions.push_back(std::move(subscription));
    reading_.finish(reader);
  }

  // The setting, where it names a file.
  static const Setting* named_file(TableReader& table, std::string_view key) {
    return table.text(key, "").empty() ? nullptr : table.find(key);
  }

  template <typename Find>
  std::string file(TableReader& table, std::string_view key, Find&& find_it) {
    const Setting* setting = named_file(table, key);
    if (setting == nullptr) return "";
    const auto path = find_it(*setting, reading_.environment, reading_.problems, reading_.warnings);
    return path ? path->native() : std::get<std::string>(setting->value);
  }

  void warn(std::string_view key, std::string text) {
    if (const Setting* setting = mqtt_.find(key)) reading_.warnings.add(*setting, std::move(text));
  }

  static std::string text(milliseconds duration) {
    return duration_text(std::chrono::nanoseconds(duration).count());
  }

  const Reading& reading_;
  Config& config_;
  mqtt::Options& options_;
  TableReader mqtt_;
  std::set<std::string> filters_;  // subscribed to
};

}  // namespace

void read_mqtt(const Setting* table, const Reading& reading, Config& config) {
  MqttReader(table, reading, config).read();
}

}  // namespace sluice::config
