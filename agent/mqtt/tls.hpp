// SPDX-License-Identifier: Apache-2.0
// TLS of a libmosquitto handle: set up before it connects, and its failures in words. Used by Client alone.
#pragma once

#include <string>
#include <vector>

#include "mqtt/options.hpp"

struct mosquitto;

namespace sluice::mqtt {

/// Applies the options to a handle that has not connected yet. Throws std::runtime_error that names the file or
/// the option that is not usable. `server_name`: a name, which is sent as SNI, or an address, which is not; compared with
/// the certificate, whatever address the handle connects to. With a pre-shared key, where there is no certificate, the
/// library sends that address. Both outlive the handle.
void apply_tls(mosquitto* handle, const TlsOptions& options, const std::string& server_name);

/// Whether the handshake is still going on, and if so whether it waits to write.
bool tls_handshaking(mosquitto* handle);
bool tls_finished(mosquitto* handle);
bool tls_wants_write(mosquitto* handle);

/// Why TLS failed: from the result of the verification and what the library has logged. `host`: the name that
/// the certificate was compared with.
std::string tls_failure_in_words(mosquitto* handle, const std::vector<std::string>& logged,
                                 const std::string& host);

}  // namespace sluice::mqtt
