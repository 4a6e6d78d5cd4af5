// SPDX-License-Identifier: Apache-2.0
#include "support/certificates.hpp"

#include <stdexcept>
#include <vector>

#include "support/process.hpp"

namespace sluice::test {
namespace {

void openssl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "openssl");
  const Finished finished = run(arguments);
  if (finished.status != 0) throw std::runtime_error("openssl: " + finished.output);
}

const std::vector<std::string> new_key{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"};

}  // namespace

Certificates::Certificates(const std::string& host) {
  std::vector<std::string> ca_arguments{
      "req",  "-x509", "-days", "1", "-subj", "/CN=Sluice test CA", "-keyout", directory_.file("ca.key"),
      "-out", ca()};
  ca_arguments.insert(ca_arguments.end(), new_key.begin(), new_key.end());
  openssl(ca_arguments);
  const std::string addresses = host == "localhost" ? ",IP:127.0.0.1,IP:::1" : "";
  sign("server", "/CN=" + host, "subjectAltName=DNS:" + host + addresses + "\n");
  sign("client", "/CN=client", "extendedKeyUsage=clientAuth\n");
}

void Certificates::sign(const std::string& name, const std::string& subject,
                        const std::string& extensions) const {
  const std::string request = directory_.file(name + ".csr");
  std::vector<std::string> arguments{"req",  "-subj", subject, "-keyout", directory_.file(name + ".key"),
                                     "-out", request};
  arguments.insert(arguments.end(), new_key.begin(), new_key.end());
  openssl(arguments);
  openssl({"x509", "-req", "-in", request, "-CA", ca(), "-CAkey", directory_.file("ca.key"),
           "-CAcreateserial", "-days", "1", "-extfile", directory_.write(name + ".ext", extensions), "-out",
           directory_.file(name + ".crt")});
}

}  // namespace sluice::test
