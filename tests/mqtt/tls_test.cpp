// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <mosquitto.h>

#include <memory>

#include "harness.hpp"
#include "mqtt/tls.hpp"
#include "support/broker.hpp"
#include "support/fake_broker.hpp"

namespace sluice::mqtt::test {
namespace {

using sluice::test::Broker;
using sluice::test::BrokerOptions;
using sluice::test::Certificates;
using sluice::test::FakeBroker;

BrokerOptions with(const Certificates& certificates) {
  BrokerOptions options;
  options.tls = &certificates;
  return options;
}

Options options_with_ca(const Broker& broker, const Certificates& certificates) {
  Options options = options_for({broker.tls_url()});
  options.tls.ca_file = certificates.ca();
  return options;
}

TEST(Tls, DeliversAndComesBackAfterARestart) {
  const Certificates certificates;
  Broker broker(with(certificates));
  Harness harness(options_with_ca(broker, certificates));
  harness.session().start();
  harness.add("plant/1", "one");
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  broker.restart();
  harness.add("plant/1", std::string(300'000, 'x'), 2);
  EXPECT_TRUE(harness.wait_acknowledged(2)) << harness.log_text();
}

TEST(Tls, KeepsAHandleWithItsSessionAcrossARestart) {
  const Certificates certificates;
  BrokerOptions broker_options = with(certificates);
  broker_options.persistence = true;
  Broker broker(broker_options);
  Harness harness(persistent(options_with_ca(broker, certificates)));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  broker.restart();
  ASSERT_TRUE(harness.wait_up(2)) << harness.log_text();
  EXPECT_TRUE(harness.session().status().session_present);
  harness.add("plant/1", "one");
  EXPECT_TRUE(harness.wait_acknowledged(1));
}

TEST(Tls, RefusesABrokerOfAnotherAuthority) {
  const Certificates certificates;
  const Certificates others;
  Broker broker(with(certificates));
  Options options = options_with_ca(broker, others);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("cannot be trusted")) << harness.log_text();
  EXPECT_NE(harness.session().status().reason.find("mqtt.tls.ca_file"), std::string::npos);
  EXPECT_TRUE(harness.record().ups.empty());
}

TEST(Tls, NamesTheRemedyAlsoWhereOnlyTheLibrarysLineIsLeft) {
  const std::unique_ptr<mosquitto, void (*)(mosquitto*)> handle(mosquitto_new(nullptr, true, nullptr),
                                                                mosquitto_destroy);
  const std::string words = tls_failure_in_words(
      handle.get(), {"OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed"}, "broker");
  EXPECT_NE(words.find("cannot be trusted"), std::string::npos) << words;
  EXPECT_NE(words.find("mqtt.tls.ca_file"), std::string::npos) << words;
}

TEST(Tls, RefusesABrokerOfAnotherName) {
  const Certificates certificates("broker.example");
  Broker broker(with(certificates));
  Harness harness(options_with_ca(broker, certificates));
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("certificate is not for \"localhost\"")) << harness.log_text();
  EXPECT_TRUE(harness.record().ups.empty());
}

TEST(Tls, TakesTheNameThatIsConfiguredInsteadOfTheHost) {
  const Certificates certificates("broker.example");
  Broker broker(with(certificates));
  Options options = options_with_ca(broker, certificates);
  options.tls.server_name = "broker.example";
  {
    Harness harness(options);
    harness.session().start();
    ASSERT_TRUE(harness.wait_up()) << harness.log_text();
    broker.restart();
    ASSERT_TRUE(harness.wait_up(2)) << harness.log_text();
  }
  options.tls.server_name = "other.example";
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("certificate is not for \"other.example\"")) << harness.log_text();
  EXPECT_TRUE(harness.record().ups.empty());
}

TEST(Tls, InsecureConnectsToAnybodyAndWarnsEachTime) {
  const Certificates certificates("broker.example");
  Broker broker(with(certificates));
  Options options = options_for({broker.tls_url()});
  options.tls.insecure = true;
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  broker.restart();
  ASSERT_TRUE(harness.wait_up(2)) << harness.log_text();
  EXPECT_TRUE(harness.wait([](const Record& r) {
    return std::count_if(r.log.begin(), r.log.end(), [](const auto& line) {
             return line.first == Level::warn && line.second.find("insecure = true") != std::string::npos;
           }) == 2;
  }));
}

TEST(Tls, ShowsAClientCertificate) {
  const Certificates certificates;
  BrokerOptions broker_options = with(certificates);
  broker_options.require_client_certificate = true;
  Broker broker(broker_options);
  Options options = options_with_ca(broker, certificates);
  {
    Harness without(options);
    without.session().start();
    ASSERT_TRUE(without.wait_logged("client certificate")) << without.log_text();
  }
  options.tls.cert_file = certificates.client_certificate();
  options.tls.key_file = certificates.client_key();
  Harness harness(options);
  harness.session().start();
  EXPECT_TRUE(harness.wait_up()) << harness.log_text();
}

TEST(Tls, WorksWithAPresharedKey) {
  BrokerOptions broker_options;
  broker_options.psk = "gateway:0123456789abcdef";
  broker_options.extra = "use_identity_as_username true\n";
  Broker broker(broker_options);
  Options options = options_for({broker.tls_url()});
  options.tls.psk_identity = "gateway";
  options.tls.psk = "0123456789abcdef";
  {
    Harness harness(options);
    harness.session().start();
    ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  }
  options.tls.psk = "ffff";
  Harness wrong(options);
  wrong.session().start();
  EXPECT_TRUE(wrong.wait_logged("TLS")) << wrong.log_text();
  EXPECT_TRUE(wrong.record().ups.empty());
}

TEST(Tls, AMissingFileIsNamedAndTriedAgain) {
  const Certificates certificates;
  Broker broker(with(certificates));
  const sluice::test::TemporaryDirectory directory;
  Options options = options_with_ca(broker, certificates);
  options.tls.ca_file = directory.file("ca.crt");
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("mqtt.tls.ca_file: cannot read " + directory.file("ca.crt")))
      << harness.log_text();
  directory.write("ca.crt", sluice::test::read_file(certificates.ca()));
  EXPECT_TRUE(harness.wait_up()) << harness.log_text();
}

TEST(Tls, APortThatSpeaksNoTlsIsToldSo) {
  Broker broker;
  Options options = options_for({"mqtts://127.0.0.1:" + std::to_string(broker.port())});
  const Certificates certificates;
  options.tls.ca_file = certificates.ca();
  Harness harness(options);
  harness.session().start();
  EXPECT_TRUE(harness.wait_logged("TLS")) << harness.log_text();
  EXPECT_TRUE(harness.record().ups.empty());
}

TEST(Tls, AHandshakeThatIsNeverAnsweredEndsInTime) {
  const sluice::test::FakeBroker mute(R"([{"connack": null}])");
  Options options = options_for({"mqtts://127.0.0.1:" + std::to_string(mute.port())});
  const Certificates certificates;
  options.tls.ca_file = certificates.ca();
  options.connect_timeout = std::chrono::milliseconds(300);
  Harness harness(options);
  harness.session().start();
  EXPECT_TRUE(harness.wait_logged("next attempt")) << harness.log_text();
}

TEST(Tls, MinVersionIsAskedFor) {
  const Certificates certificates;
  BrokerOptions broker_options = with(certificates);
  Broker broker(broker_options);
  for (const char* version : {"1.2", "1.3"}) {
    Options options = options_with_ca(broker, certificates);
    options.tls.min_version = version;
    options.tls.alpn = "mqtt";
    Harness harness(options);
    harness.session().start();
    EXPECT_TRUE(harness.wait_up()) << harness.log_text();
  }
  Options options = options_with_ca(broker, certificates);
  options.tls.min_version = "9";
  Harness harness(options);
  harness.session().start();
  EXPECT_TRUE(harness.wait_logged("mqtt.tls.min_version")) << harness.log_text();
}

}  // namespace
}  // namespace sluice::mqtt::test
