// SPDX-License-Identifier: Apache-2.0
// A broker's name with several addresses: which of them are tried, in which order, and what is said of it.
#include "mqtt/addresses.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "broker_by_hand.hpp"
#include "harness.hpp"
#include "resolver.hpp"
#include "support/broker.hpp"
#include "support/fake_broker.hpp"
#include "support/free_port.hpp"

namespace sluice::mqtt::test {
namespace {

using sluice::test::Broker;
using sluice::test::BrokerOptions;
using sluice::test::Certificates;
using sluice::test::FakeBroker;

// Of the loopback network, where nothing listens: brokers of tests do on 127.0.0.1.
constexpr const char* dead = "127.0.0.2";
constexpr const char* also_dead = "127.0.0.3";
constexpr const char* alive = "127.0.0.1";

std::string url(std::uint16_t port) {
  return std::string("mqtt://") + KnownName::host + ":" + std::to_string(port);
}

std::ptrdiff_t warnings(const Record& record, const std::string& text) {
  return std::count_if(record.log.begin(), record.log.end(), [&](const auto& line) {
    return line.first == Level::warn && line.second.find(text) != std::string::npos;
  });
}

TEST(Addresses, OfAnAddressAreItself) {
  EXPECT_EQ(resolve("127.0.0.1"), std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(resolve("0:0::1"), std::vector<std::string>{"::1"});
  EXPECT_TRUE(is_address("127.0.0.1"));
  EXPECT_TRUE(is_address("fe80::1"));
  EXPECT_FALSE(is_address("localhost"));
  EXPECT_FALSE(is_address("127.0.0.1.example"));
}

TEST(Addresses, OfANameAreAllThatTheSystemKnowsInItsOrderEachOnce) {
  const KnownName name({"::1", alive, "::1", dead});
  EXPECT_EQ(resolve(KnownName::host), (std::vector<std::string>{"::1", alive, dead}));
}

TEST(Addresses, OfNoNameAreAnErrorThatNamesIt) {
  try {
    resolve("no-such-host.invalid");
    FAIL() << "resolved";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()).rfind("the name \"no-such-host.invalid\" cannot be resolved: ", 0),
              0U)
        << error.what();
  }
}

TEST(AddressRound, StaysAtTheOneThatWorksAndGoesOnBehindTheOneThatFails) {
  AddressRound round;
  EXPECT_EQ(round.choose({"a", "b", "c"}), "a");
  EXPECT_EQ(round.choose({"a", "b", "c"}), "a");
  EXPECT_TRUE(round.failed());
  EXPECT_EQ(round.choose({"a", "b", "c"}), "b");
  EXPECT_EQ(round.choose({"c", "b", "a"}), "b");  // a resolver may turn them round each time
  EXPECT_TRUE(round.failed());
  EXPECT_EQ(round.choose({"c", "b", "a"}), "a");
  EXPECT_FALSE(round.failed());
  EXPECT_EQ(round.choose({"c", "b", "a"}), "c");
  EXPECT_TRUE(round.failed());
}

TEST(AddressRound, BeginsWithTheFirstWhereTheNameHasMoved) {
  AddressRound round;
  round.choose({"a", "b"});
  round.failed();
  round.choose({"a", "b"});
  EXPECT_EQ(round.choose({"d", "c"}), "d");
  round.failed();
  EXPECT_EQ(round.choose({"e", "f"}), "e");
  EXPECT_EQ(round.choose({"e", "f"}), "e");
}

TEST(AddressRound, ARefusalEndsTheRoundAndTheNextBeginsBehindIt) {
  AddressRound round;
  round.choose({"a", "b"});
  round.refused();
  EXPECT_EQ(round.choose({"a", "b"}), "b");
  EXPECT_TRUE(round.failed());
  EXPECT_EQ(round.choose({"a", "b"}), "a");
  EXPECT_FALSE(round.failed());
}

TEST(AddressRound, NamesTheAddressOnlyWhereThereIsAChoice) {
  AddressRound round;
  EXPECT_EQ(round.chosen_of_several(), "");
  round.choose({"a"});
  EXPECT_EQ(round.chosen_of_several(), "");
  round.choose({"a", "b"});
  EXPECT_EQ(round.chosen_of_several(), "a");
}

TEST(Addresses, EachIsTriedUntilOneAnswersAndTheFailuresNameThem) {
  const KnownName name({"::1", dead, alive});
  const Broker broker;
  Harness harness(options_for({url(broker.port())}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  EXPECT_EQ(warnings(harness.record(), url(broker.port()) + " (::1): "), 1) << harness.log_text();
  EXPECT_EQ(warnings(harness.record(), std::string("(") + dead + "): Connection refused"), 1);
  EXPECT_EQ(harness.session().status().broker, url(broker.port()));
}

TEST(Addresses, OneThatTakesConnectionsAndNeverAnswersIsLeftForTheNext) {
  const Broker broker;
  const BrokerByHand mute(INADDR_LOOPBACK + 1, broker.port());
  const KnownName name({dead, alive});
  Options options = options_for({url(broker.port())});
  options.connect_timeout = std::chrono::milliseconds(300);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  EXPECT_EQ(warnings(harness.record(), std::string("(") + dead + "): no CONNACK"), 1) << harness.log_text();
}

TEST(Addresses, ALostLinkComesBackWhereItWas) {
  const FakeBroker broker(R"([{"close_on": "PUBLISH"}, {}])");
  const KnownName name({dead, alive});
  Harness harness(options_for({url(broker.port())}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  harness.add("plant/1", "x");
  ASSERT_TRUE(harness.wait_up(2)) << harness.log_text();
  EXPECT_EQ(harness.metrics().counter("mqtt", "failed_attempts").value(), 1U) << harness.log_text();
}

TEST(Addresses, TheNextBrokerComesAfterAllOfThem) {
  const KnownName name({dead, also_dead});
  const Broker broker;
  Harness harness(options_for({url(broker.port()), broker.url()}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  EXPECT_EQ(harness.metrics().counter("mqtt", "failed_attempts").value(), 2U) << harness.log_text();
  EXPECT_EQ(harness.session().status().broker, broker.url());
}

TEST(Addresses, ARefusalIsOfTheBrokerAndTheOthersAreNotAskedInItsRound) {
  const FakeBroker refusing(R"([{"connack": 135}])");
  const KnownName name({alive, dead});
  const Broker broker;
  Harness harness(options_for({url(refusing.port()), broker.url()}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  EXPECT_EQ(harness.metrics().counter("mqtt", "failed_attempts").value(), 1U) << harness.log_text();
}

TEST(Addresses, TheSameFailureOfEachIsOneWarning) {
  const KnownName name({dead, also_dead});
  Harness harness(options_for({url(sluice::test::free_port())}));
  Counter& failed = harness.metrics().counter("mqtt", "failed_attempts");
  harness.session().start();
  ASSERT_TRUE(sluice::test::wait_until([&] { return failed.value() > 6; }));
  EXPECT_EQ(warnings(harness.record(), "next attempt"), 2) << harness.log_text();
}

TEST(Addresses, ANameIsResolvedAgainForEachAttempt) {
  KnownName name({});
  const Broker broker;
  Harness harness(options_for({url(broker.port())}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged(std::string(KnownName::host) + "\" cannot be resolved"))
      << harness.log_text();
  name.move({dead});
  ASSERT_TRUE(harness.wait_logged("Connection refused")) << harness.log_text();
  name.move({alive});
  EXPECT_TRUE(harness.wait_up()) << harness.log_text();
}

Options by_tls(std::uint16_t port) {
  return options_for({std::string("mqtts://") + KnownName::host + ":" + std::to_string(port)});
}

TEST(Addresses, TlsComparesTheNameNotTheAddress) {
  const Certificates certificates(KnownName::host);
  BrokerOptions broker_options;
  broker_options.tls = &certificates;
  const Broker broker(broker_options);
  const KnownName name({dead, alive});
  Options options = by_tls(BrokerAddress::parse(broker.tls_url())->port);
  options.tls.ca_file = certificates.ca();
  Harness harness(options);
  harness.session().start();
  EXPECT_TRUE(harness.wait_up()) << harness.log_text();
}

// The first message of the handshake, in which the name stands in the clear.
std::string client_hello(const std::string& host) {
  BrokerByHand broker;
  Options options = options_for({"mqtts://" + host + ":" + std::to_string(broker.port())});
  options.tls.insecure = true;
  Harness harness(options);
  harness.session().start();
  broker.take();
  return broker.receive(100);
}

TEST(Addresses, TlsSendsTheNameToTheBroker) {
  const KnownName name({alive});
  EXPECT_NE(client_hello(KnownName::host).find(KnownName::host), std::string::npos);
}

TEST(Addresses, TlsSendsNoAddressForAName) {
  const std::string hello = client_hello(alive);
  EXPECT_EQ(hello.substr(0, 1), "\x16");  // a handshake it is
  EXPECT_EQ(hello.find(alive), std::string::npos);
}

TEST(Addresses, TlsComparesAnAddressThatIsConfigured) {
  const Certificates certificates;  // for localhost, and its addresses
  const Certificates others("broker.example");
  for (const Certificates* each : {&certificates, &others}) {
    BrokerOptions broker_options;
    broker_options.tls = each;
    const Broker broker(broker_options);
    Options options =
        options_for({"mqtts://" + std::string(alive) + broker.tls_url().substr(broker.tls_url().rfind(':'))});
    options.tls.ca_file = each->ca();
    Harness harness(options);
    harness.session().start();
    if (each == &certificates) {
      EXPECT_TRUE(harness.wait_up()) << harness.log_text();
    } else {
      EXPECT_TRUE(harness.wait_logged("certificate is not for \"127.0.0.1\"")) << harness.log_text();
    }
  }
}

}  // namespace
}  // namespace sluice::mqtt::test
