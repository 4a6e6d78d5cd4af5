// SPDX-License-Identifier: Apache-2.0
#include "mqtt/tls.hpp"

#include <fmt/core.h>
#include <mosquitto.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "mqtt/addresses.hpp"

namespace sluice::mqtt {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

SSL* ssl_of(mosquitto* handle) {
  return static_cast<SSL*>(mosquitto_ssl_get(handle));
}

const char* or_null(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

void check(int result, const char* option) {
  if (result == MOSQ_ERR_SUCCESS) return;
  throw std::runtime_error(fmt::format("mqtt.tls.{}: {}", option, mosquitto_strerror(result)));
}

void check_readable(const std::string& file, const char* option) {
  if (file.empty() || ::access(file.c_str(), R_OK) == 0) return;
  throw std::runtime_error(
      fmt::format("mqtt.tls.{}: cannot read {}: {}", option, file, std::generic_category().message(errno)));
}

// Without this OpenSSL would ask for the passphrase of a key on the terminal, and wait.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

// The library sends the host of the connection as SNI, which is an address here, and begins the handshake within the call that connects:
// the one moment to put another name there is when OpenSSL announces the start of the handshake.
int name_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void set_server_name(const SSL* ssl, int where, int) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  auto* changed = const_cast<SSL*>(ssl);  // as documented for calls from this callback
  const auto* name = static_cast<const char*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), name_index()));
  const char* sent = is_address(name) ? nullptr : name;  // RFC 6066, section 3
  SSL_set_tlsext_host_name(changed, sent);
  SSL_set1_host(changed, name);  // or the address
  // The library's own callback refuses every certificate unless a handle without a context of ours came before, which
  // made the index that it looks up. OpenSSL's verdict stands.
  SSL_set_verify(changed, SSL_get_verify_mode(ssl), [](int verified, X509_STORE_CTX*) { return verified; });
}

void use_server_name(mosquitto* handle, const std::string& name) {
  const std::unique_ptr<SSL_CTX, FreeContext> context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw std::runtime_error("mqtt.tls: OpenSSL gives no context");
  SSL_CTX_set_ex_data(context.get(), name_index(), const_cast<char*>(name.c_str()));
  SSL_CTX_set_info_callback(context.get(), set_server_name);
  check(mosquitto_void_option(handle, MOSQ_OPT_SSL_CTX, context.get()), "server_name");  // takes a reference
  check(mosquitto_int_option(handle, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 1), "server_name");
  // OpenSSL compares the name itself; the library would compare the host of the connection.
  check(mosquitto_tls_insecure_set(handle, true), "server_name");
}

}  // namespace

void apply_tls(mosquitto* handle, const TlsOptions& options, const std::string& server_name) {
  if (!options.psk.empty()) {
    check(mosquitto_tls_psk_set(handle, options.psk.c_str(), options.psk_identity.c_str(), nullptr),
          "psk_file");
    check(mosquitto_tls_opts_set(handle, SSL_VERIFY_PEER, ("tlsv" + options.min_version).c_str(), nullptr),
          "min_version");
    return;
  }
  check_readable(options.ca_file, "ca_file");
  check_readable(options.cert_file, "cert_file");
  check_readable(options.key_file, "key_file");
  // The library's own option for the system's store works for the first connection of a handle only.
  const char* system_file = std::getenv("SSL_CERT_FILE");
  const char* ca_file = options.ca_file.empty() ? system_file : options.ca_file.c_str();
  const char* ca_directory = ca_file == nullptr ? "/etc/ssl/certs" : nullptr;
  check(mosquitto_tls_set(handle, ca_file, ca_directory, or_null(options.cert_file),
                          or_null(options.key_file), no_passphrase),
        "ca_file, cert_file, key_file");
  check(mosquitto_tls_opts_set(handle, options.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                               ("tlsv" + options.min_version).c_str(), nullptr),
        "min_version");
  if (!options.alpn.empty()) {
    check(mosquitto_string_option(handle, MOSQ_OPT_TLS_ALPN, options.alpn.c_str()), "alpn");
  }
  if (options.insecure) check(mosquitto_tls_insecure_set(handle, true), "insecure");
  use_server_name(handle, server_name);
}

bool tls_handshaking(mosquitto* handle) {
  const SSL* ssl = ssl_of(handle);
  return ssl != nullptr && SSL_is_init_finished(ssl) == 0;
}

bool tls_finished(mosquitto* handle) {
  const SSL* ssl = ssl_of(handle);
  return ssl != nullptr && SSL_is_init_finished(ssl) != 0;
}

bool tls_wants_write(mosquitto* handle) {
  const SSL* ssl = ssl_of(handle);
  return ssl != nullptr && SSL_want_write(ssl);
}

std::string tls_failure_in_words(mosquitto* handle, const std::vector<std::string>& logged,
                                 const std::string& host) {
  std::string lines;
  for (const std::string& line : logged) {
    if (lines.find(line) == std::string::npos) lines += (lines.empty() ? "" : "; ") + line;
  }
  const SSL* ssl = ssl_of(handle);
  const long verified = ssl == nullptr ? long{X509_V_OK} : SSL_get_verify_result(ssl);
  if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH ||
      lines.find("host name verification failed") != std::string::npos) {
    return fmt::format(
        "TLS: the broker's certificate is not for \"{}\": check mqtt.brokers, or mqtt.tls.server_name", host);
  }
  if (verified == X509_V_ERR_CERT_NOT_YET_VALID || verified == X509_V_ERR_CERT_HAS_EXPIRED) {
    return fmt::format("TLS: the broker's certificate is not valid now ({}): check the clock, or renew it",
                       X509_verify_cert_error_string(verified));
  }
  if (verified != X509_V_OK) {
    return fmt::format("TLS: the broker's certificate cannot be trusted ({}): check mqtt.tls.ca_file",
                       X509_verify_cert_error_string(verified));
  }
  // The library's own check of the chain leaves no more than this line behind where it has dropped the connection.
  if (lines.find("certificate verify failed") != std::string::npos) {
    return "TLS: the broker's certificate cannot be trusted (" + lines + "): check mqtt.tls.ca_file";
  }
  if (lines.find("certificate required") != std::string::npos) {
    return "TLS: the broker wants a client certificate: set mqtt.tls.cert_file and key_file";
  }
  if (lines.find("wrong version number") != std::string::npos) {
    return "TLS: the other side does not speak TLS on this port: check scheme and port in mqtt.brokers";
  }
  return lines.empty() ? "TLS failed" : "TLS failed: " + lines;
}

}  // namespace sluice::mqtt
