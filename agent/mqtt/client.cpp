// SPDX-License-Identifier: Apache-2.0
#include "mqtt/client.hpp"

#include <fmt/core.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <limits>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "mqtt/properties.hpp"
#include "mqtt/reason.hpp"
#include "mqtt/tls.hpp"

#ifdef __SANITIZE_THREAD__
// On a DISCONNECT of the broker the library unlocks a mutex that it has not locked, which glibc lets pass.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions() {
  return "mutex:libmosquitto\n";
}
#endif

namespace sluice::mqtt {
namespace {

constexpr std::size_t most_logged_lines = 20;
constexpr std::uint8_t first_refusal = 0x80;

// The library is initialised once, and for as long as the program runs.
void initialise_library() {
  static const int result = mosquitto_lib_init();
  if (result != MOSQ_ERR_SUCCESS) throw std::runtime_error(mosquitto_strerror(result));
}

std::string error_text(int error) {
  return std::generic_category().message(error);
}

// Beside a packet of a hundred bytes the way of a segment through the kernel, and the broker's waking up for it, are
// most of the cost. Where it fails, nothing changes but that.
void set_corked(int socket, int corked) {
  ::setsockopt(socket, IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);
}

Limits read_limits(const mosquitto_property* properties) {
  Limits limits;
  limits.receive_maximum = read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM).value_or(limits.receive_maximum);
  limits.maximum_packet_size = read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE).value_or(0);
  limits.maximum_qos = read_byte(properties, MQTT_PROP_MAXIMUM_QOS).value_or(limits.maximum_qos);
  limits.retain_available = read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE).value_or(1) != 0;
  return limits;
}

// The library forgets neither of the two when a later CONNACK does not name them, and would refuse what the
// broker now takes.
bool library_is_stricter(const std::optional<Limits>& before, const Limits& now) {
  if (!before) return false;
  return (before->maximum_packet_size != 0 && now.maximum_packet_size == 0) ||
         (before->maximum_qos < 2 && now.maximum_qos == 2);
}

}  // namespace

struct Client::Callbacks {
  static void on_connect(mosquitto* handle, void* self, int code, int flags,
                         const mosquitto_property* properties) {
    auto& client = *static_cast<Client*>(self);
    client.answered_ = true;
    Connected connected;
    connected.code = static_cast<std::uint8_t>(code);
    connected.session_present = (flags & 1) != 0;
    connected.limits = read_limits(properties);
    connected.text = read_string(properties, MQTT_PROP_REASON_STRING);
    if (connected.text.empty()) connected.text = read_string(properties, MQTT_PROP_SERVER_REFERENCE);
    if (code == 0) {
      // After this call the library resends what it has in flight, whatever session-present says; for a QoS 2
      // message past PUBREC that is a PUBREL to a broker that never had the message, whose PUBCOMP would look
      // like delivery. A DISCONNECT that is queued before prevents it.
      connected.usable = !client.reused_ || (connected.session_present &&
                                             !library_is_stricter(client.limits_, connected.limits));
      if (!connected.usable) mosquitto_disconnect(handle);
      client.limits_ = connected.limits;
      // The library formats a line for each packet as long as somebody listens.
      mosquitto_log_callback_set(handle, nullptr);
    }
    client.events_.emplace_back(std::move(connected));
  }

  static void on_disconnect(mosquitto*, void* self, int code, const mosquitto_property*) {
    const int error = errno;
    auto& client = *static_cast<Client*>(self);
    Disconnected disconnected;
    if (code >= first_refusal) {
      disconnected.reason = static_cast<std::uint8_t>(code);
      disconnected.words = "the broker disconnected: " + reason_in_words(*disconnected.reason);
    } else {
      disconnected.words = client.words_for(code, error);
    }
    client.dropped_ = true;
    client.events_.emplace_back(std::move(disconnected));
  }

  static void on_publish(mosquitto*, void* self, int id, int reason, const mosquitto_property*) {
    auto& client = *static_cast<Client*>(self);
    client.events_.emplace_back(Answered{static_cast<std::uint16_t>(id), static_cast<std::uint8_t>(reason)});
  }

  static void on_subscribe(mosquitto*, void* self, int id, int count, const int* granted,
                           const mosquitto_property*) {
    auto& client = *static_cast<Client*>(self);
    const auto code = static_cast<std::uint8_t>(count > 0 ? granted[0] : first_refusal);
    client.events_.emplace_back(SubscriptionAnswered{static_cast<std::uint16_t>(id), code});
  }

  static void on_message(mosquitto*, void* self, const mosquitto_message* received,
                         const mosquitto_property* properties) {
    auto& client = *static_cast<Client*>(self);
    Arrived arrived;
    Message& message = arrived.message;
    message.topic = received->topic;
    message.payload.emplace(static_cast<const char*>(received->payload == nullptr ? "" : received->payload),
                            static_cast<std::size_t>(received->payloadlen));
    message.time.wall_ns = client.clock_.wall().count();
    message.time.monotonic_ns = client.clock_.monotonic().count();
    message.time.boot = client.clock_.boot();
    message.content_type = read_string(properties, MQTT_PROP_CONTENT_TYPE);
    message.response_topic = read_string(properties, MQTT_PROP_RESPONSE_TOPIC);
    message.correlation_data = read_binary(properties, MQTT_PROP_CORRELATION_DATA);
    message.user_properties = read_pairs(properties, MQTT_PROP_USER_PROPERTY);
    message.expiry =
        std::chrono::seconds(read_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL).value_or(0));
    arrived.inbound.qos = static_cast<std::uint8_t>(received->qos);
    arrived.inbound.retained = received->retain;
    arrived.inbound.expiry = message.expiry;
    client.events_.emplace_back(std::move(arrived));
  }

  static void on_log(mosquitto*, void* self, int level, const char* text) {
    auto& client = *static_cast<Client*>(self);
    if (level != MOSQ_LOG_ERR || client.logged_.size() >= most_logged_lines) return;
    client.logged_.emplace_back(text);
  }
};

void Client::Destroy::operator()(mosquitto* handle) const {
  mosquitto_destroy(handle);
}

Client::Client(const Options& options, const BrokerAddress& broker, const ClientOptions& how,
               const Clock& clock)
    : options_(options), broker_(broker), clock_(clock) {
  initialise_library();
  handle_.reset(
      mosquitto_new(options.client_id.empty() ? nullptr : options.client_id.c_str(), how.clean_start, this));
  if (!handle_) throw std::runtime_error("mqtt.client_id \"" + options.client_id + "\" is not usable");
  set_up(how);
}

Client::~Client() = default;

const std::string& Client::server_name() const {
  return options_.tls.server_name.empty() ? broker_.host : options_.tls.server_name;
}

void Client::set_up(const ClientOptions& how) {
  mosquitto* handle = handle_.get();
  mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, static_cast<int>(options_.version));
  mosquitto_int_option(handle, MOSQ_OPT_TCP_NODELAY, 1);
  if (!options_.username.empty() || !options_.password.empty()) {
    const int result = mosquitto_username_pw_set(
        handle, options_.username.c_str(), options_.password.empty() ? nullptr : options_.password.c_str());
    if (result != MOSQ_ERR_SUCCESS) throw std::runtime_error("mqtt.username is not usable");
  }
  if (how.will) {
    const int result =
        mosquitto_will_set(handle, how.will->topic.c_str(), static_cast<int>(how.will->payload.size()),
                           how.will->payload.data(), how.will->qos, how.will->retain);
    if (result != MOSQ_ERR_SUCCESS) {
      throw std::runtime_error("mqtt.status_topic \"" + how.will->topic + "\" is not a valid topic");
    }
  }
  if (broker_.tls) apply_tls(handle, options_.tls, server_name());

  mosquitto_connect_v5_callback_set(handle, Callbacks::on_connect);
  mosquitto_disconnect_v5_callback_set(handle, Callbacks::on_disconnect);
  mosquitto_publish_v5_callback_set(handle, Callbacks::on_publish);
  mosquitto_subscribe_v5_callback_set(handle, Callbacks::on_subscribe);
  mosquitto_message_v5_callback_set(handle, Callbacks::on_message);

  if (options_.version == Version::v5 && how.session_expiry.count() > 0) {
    // No asynchronous connect takes properties. A blocking one to a socket that does not exist fails at once, and
    // leaves them behind for those that follow.
    PropertyList properties;
    properties.add_int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                         static_cast<std::uint32_t>(how.session_expiry.count()));
    mosquitto_connect_bind_v5(handle, "/proc/no-such-socket", 0, static_cast<int>(options_.keepalive.count()),
                              nullptr, properties.get());
  }
}

void Client::connect(const std::string& address) {
  mosquitto* handle = handle_.get();
  logged_.clear();
  mosquitto_log_callback_set(handle, Callbacks::on_log);
  // The limit of an earlier connection would stay; the CONNACK lowers it again.
  mosquitto_int_option(handle, MOSQ_OPT_SEND_MAXIMUM, std::numeric_limits<std::uint16_t>::max());
  reused_ = limits_.has_value();
  answered_ = false;
  dropped_ = false;
  unflushed_ = 0;
  gathered_bytes_ = 1;
  tcp_connecting_ = true;
  errno = 0;
  const int result = mosquitto_connect_async(handle, address.c_str(), broker_.port,
                                             static_cast<int>(options_.keepalive.count()));
  const int error = errno;
  if (result > 0 && !dropped_) fail(words_for(result, error));
}

int Client::fd() const {
  return dropped_ ? -1 : mosquitto_socket(handle_.get());
}

short Client::wanted() const {
  if (tcp_connecting_) return POLLOUT;
  if (tls_handshaking(handle_.get())) return tls_wants_write(handle_.get()) ? POLLOUT : POLLIN;
  return mosquitto_want_write(handle_.get()) ? POLLIN | POLLOUT : POLLIN;
}

void Client::on_socket(short events) {
  if (tcp_connecting_) {
    finish_tcp_connect();
    if (dropped_) return;
    events |= POLLOUT;
  }
  if (tls_handshaking(handle_.get())) {
    step_handshake();
    return;
  }
  if ((events & (POLLIN | POLLERR | POLLHUP)) != 0) {
    errno = 0;
    check(mosquitto_loop_read(handle_.get(), 1));
  }
  if (fd() >= 0 && (events & POLLOUT) != 0) {
    errno = 0;
    check(mosquitto_loop_write(handle_.get(), 1));
  }
}

void Client::finish_tcp_connect() {
  tcp_connecting_ = false;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    fail(error_text(error));
    return;
  }
  // A peer that does not even acknowledge bytes is gone: the kernel may say so before our own time limits.
  const auto limit = static_cast<unsigned>(options_.ack_timeout.count());
  ::setsockopt(fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

void Client::step_handshake() {
  const int result = mosquitto_loop_read(handle_.get(), 1);
  if (result != MOSQ_ERR_SUCCESS) {
    check(result);
    return;
  }
  // The library takes an end of the stream within the handshake for "try again".
  char byte = 0;
  const auto peeked = ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool ended = peeked == 0 || (peeked < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  if (tls_handshaking(handle_.get()) && ended) {
    fail(
        "the connection was closed within the TLS handshake: the broker refuses it, or speaks no TLS on this "
        "port");
  }
}

void Client::misc() {
  if (fd() >= 0 && !tcp_connecting_) check(mosquitto_loop_misc(handle_.get()));
}

void Client::check(int result) {
  const int error = errno;
  if (result != MOSQ_ERR_SUCCESS && !dropped_) fail(words_for(result, error));
}

void Client::fail(std::string words) {
  drop();
  events_.emplace_back(Disconnected{std::nullopt, std::move(words)});
}

std::string Client::words_for(int result, int error) const {
  // An alert of the other side reads as the end of the stream, but has been logged.
  const bool ended = result == MOSQ_ERR_CONN_LOST || result == MOSQ_ERR_ERRNO;
  if (broker_.tls && ended && logged_.empty() && !answered_ && tls_finished(handle_.get())) {
    // With TLS 1.3 the broker checks the client after the handshake, and what it says of it is often lost when it
    // closes at once.
    return "closed right after the TLS handshake: does the broker want a client certificate "
           "(mqtt.tls.cert_file and "
           "key_file), or another one?";
  }
  const bool tls_error = result == MOSQ_ERR_TLS || (result == MOSQ_ERR_ERRNO && error == EPROTO);
  if (broker_.tls && (tls_error || (ended && !logged_.empty()))) {
    return tls_failure_in_words(handle_.get(), logged_, server_name());
  }
  switch (result) {
    case MOSQ_ERR_SUCCESS:
      return "disconnected";
    case MOSQ_ERR_CONN_LOST:
      return "the broker closed the connection";
    case MOSQ_ERR_KEEPALIVE:
      return "the broker did not answer within the keepalive";
    case MOSQ_ERR_ERRNO:
      return error == 0 ? "the connection failed" : error_text(error);
    case MOSQ_ERR_PROTOCOL:
      return "the broker broke the protocol";
    default:
      return mosquitto_strerror(result);
  }
}

std::uint16_t Client::next_id() const {
  return last_id_ == std::numeric_limits<std::uint16_t>::max() ? std::uint16_t{1}
                                                               : static_cast<std::uint16_t>(last_id_ + 1);
}

std::uint16_t Client::publish(const Publication& publication, std::uint8_t qos,
                              const mqtt5__property* properties, int& result) {
  if (++unflushed_ == 2) set_corked(fd(), 1);
  int id = 0;  // stays 0 where the library refuses; set means in flight, whatever the result, except two
  result = mosquitto_publish_v5(handle_.get(), &id, publication.topic.c_str(),
                                static_cast<int>(publication.payload.size()), publication.payload.data(), qos,
                                publication.retain, properties);
  if (id != 0) last_id_ = static_cast<std::uint16_t>(id);
  const bool unsent = result == MOSQ_ERR_NOMEM || (qos == 0 && result == MOSQ_ERR_NO_CONN);
  return unsent ? std::uint16_t{0} : static_cast<std::uint16_t>(id);
}

void Client::flush() {
  if (std::exchange(unflushed_, 0) >= 2) set_corked(fd(), 0);
}

void Client::gather_answers(int bytes) {
  if (bytes == gathered_bytes_) return;
  gathered_bytes_ = bytes;
  ::setsockopt(fd(), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

std::uint16_t Client::subscribe(const std::string& filter, std::uint8_t qos, bool& valid) {
  constexpr int option_send_retain_new = 0x10;  // not again what was sent when the subscription was made
  constexpr int option_no_local = 0x04;
  valid = !filter.empty() && filter.find('\0') == std::string::npos &&
          mosquitto_sub_topic_check(filter.c_str()) == MOSQ_ERR_SUCCESS &&
          mosquitto_validate_utf8(filter.c_str(), static_cast<int>(filter.size())) == MOSQ_ERR_SUCCESS;
  if (!valid) return 0;
  const bool shared = filter.rfind("$share/", 0) == 0;  // where No Local is a protocol error
  int id = 0;
  mosquitto_subscribe_v5(handle_.get(), &id, filter.c_str(), qos,
                         option_send_retain_new | (shared ? 0 : option_no_local), nullptr);
  if (id != 0) last_id_ = static_cast<std::uint16_t>(id);
  return static_cast<std::uint16_t>(id);
}

void Client::disconnect() {
  if (fd() >= 0) mosquitto_disconnect(handle_.get());
}

void Client::drop() {
  const int socket = fd();
  if (socket >= 0)
    ::shutdown(socket, SHUT_RDWR);  // the library closes it with the next connection, or at the end
  dropped_ = true;
  tcp_connecting_ = false;
}

void Client::take_events(std::vector<Event>& events) {
  events.clear();
  events_.swap(events);
}

}  // namespace sluice::mqtt
