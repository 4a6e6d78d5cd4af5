// SPDX-License-Identifier: Apache-2.0
// A certificate authority made by openssl at test time, with certificates for a broker and a client. Files in a
// directory of the owner's; they are valid for a day.
#pragma once

#include <string>

#include "support/temporary_directory.hpp"

namespace sluice::test {

class Certificates {
 public:
  /// The broker's certificate names `host` (a DNS name; "localhost" also covers 127.0.0.1 and ::1).
  /// Throws std::runtime_error with what openssl said.
  explicit Certificates(const std::string& host = "localhost");

  std::string ca() const { return directory_.file("ca.crt"); }
  std::string server_certificate() const { return directory_.file("server.crt"); }
  std::string server_key() const { return directory_.file("server.key"); }
  std::string client_certificate() const { return directory_.file("client.crt"); }
  std::string client_key() const { return directory_.file("client.key"); }

 private:
  void sign(const std::string& name, const std::string& subject, const std::string& extensions) const;

  TemporaryDirectory directory_;
};

}  // namespace sluice::test
