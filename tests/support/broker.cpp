// SPDX-License-Identifier: Apache-2.0
#include "support/broker.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <algorithm>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "support/free_port.hpp"
#include "support/script.hpp"

namespace sluice::test {
namespace {

bool accepts(std::uint16_t port) {
  const FileDescriptor probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Broker::Broker(BrokerOptions options) : options_(std::move(options)), port_(free_port()) {
  if (options_.tls != nullptr || !options_.psk.empty()) tls_port_ = free_port();
  if (!options_.users.empty()) {
    directory_.write("passwords", "");
    for (const auto& [name, password] : options_.users) {
      const Finished made = run({"mosquitto_passwd", "-b", directory_.file("passwords"), name, password});
      if (made.status != 0) throw std::runtime_error("mosquitto_passwd: " + made.output);
    }
  }
  if (!options_.acl.empty()) directory_.write("acl", options_.acl);
  if (!options_.psk.empty()) directory_.write("psk", options_.psk + "\n");
  directory_.write("mosquitto.conf", configuration());
  start();
}

Broker::~Broker() = default;

std::string Broker::configuration() const {
  std::string text = "user root\nlog_dest stderr\nlog_type all\nset_tcp_nodelay true\n";
  text += "max_queued_messages " + std::to_string(options_.max_queued_messages) + "\n";
  text += "max_inflight_messages " + std::to_string(options_.receive_maximum) + "\n";
  if (options_.persistence) {
    text +=
        "persistence true\nautosave_interval 0\npersistence_location " + directory_.path().string() + "/\n";
  }
  text += options_.users.empty()
              ? "allow_anonymous true\n"
              : "allow_anonymous false\npassword_file " + directory_.file("passwords") + "\n";
  if (!options_.acl.empty()) text += "acl_file " + directory_.file("acl") + "\n";
  if (!options_.psk.empty()) text += "psk_file " + directory_.file("psk") + "\n";
  text += options_.extra;
  if (!options_.extra.empty() && options_.extra.back() != '\n') text += '\n';
  text += "listener " + std::to_string(port_) + " 127.0.0.1\n";
  if (tls_port_ != 0) {
    text += "listener " + std::to_string(tls_port_) + " localhost\n";
    if (!options_.psk.empty()) {
      text += "psk_hint sluice\n";
    } else {
      text += "cafile " + options_.tls->ca() + "\ncertfile " + options_.tls->server_certificate() +
              "\nkeyfile " + options_.tls->server_key() + "\n";
      if (options_.require_client_certificate) text += "require_certificate true\n";
    }
  }
  return text;
}

std::string Broker::url() const {
  return "mqtt://127.0.0.1:" + std::to_string(port_);
}

std::string Broker::tls_url() const {
  return "mqtts://localhost:" + std::to_string(tls_port_);
}

void Broker::start() {
  if (running()) return;
  ProcessOptions process_options;
  process_options.output_file = directory_.file("log");
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"/usr/sbin/mosquitto", "-c", directory_.file("mosquitto.conf")},
      process_options);
  const bool up = wait_until(
      [this] { return !process_->running() || (accepts(port_) && (tls_port_ == 0 || accepts(tls_port_))); });
  if (!up || !process_->running()) throw std::runtime_error("mosquitto does not start:\n" + log());
}

void Broker::stop() {
  if (!process_) return;
  // One that comes before its main loop begins is forgotten, though it accepts connections by then.
  const auto told = [this] {
    process_->signal(SIGTERM);
    return process_->wait(std::chrono::seconds(1)).has_value();
  };
  if (!wait_until(told)) process_->kill();
}
void Broker::restart() {
  stop();
  start();
}
void Broker::kill() {
  if (process_) process_->kill();
}
void Broker::pause() {
  if (process_) process_->signal(SIGSTOP);
}
void Broker::resume() {
  if (process_) process_->signal(SIGCONT);
}

void Broker::save() {
  const auto saved = [this] {
    const std::string text = log();
    std::size_t count = 0;
    for (auto at = text.find("Saving in-memory database"); at != std::string::npos;
         at = text.find("Saving in-memory database", at + 1)) {
      ++count;
    }
    return count;
  };
  const std::size_t before = saved();
  process_->signal(SIGUSR1);
  if (!wait_until([&] { return saved() > before; })) throw std::runtime_error("mosquitto does not save");
}

std::string Broker::log() const {
  return read_file(directory_.file("log"));
}

bool Broker::wait_for_log(const std::string& text) const {
  return wait_until([&] { return log().find(text) != std::string::npos; });
}

void publish(std::uint16_t port, const std::string& topic, const std::string& payload,
             const PublishOptions& options) {
  nlohmann::json message{{"port", port},
                         {"topic", topic},
                         {"payload", payload},
                         {"qos", options.qos},
                         {"retain", options.retain},
                         {"username", options.username},
                         {"password", options.password},
                         {"response_topic", options.response_topic},
                         {"correlation_data", options.correlation_data},
                         {"content_type", options.content_type},
                         {"expiry", options.expiry},
                         {"user_properties", options.user_properties}};
  const Finished finished = run(script("publish.py", {}), {}, message.dump());
  if (finished.status != 0) throw std::runtime_error("publish.py: " + finished.output);
}

}  // namespace sluice::test
