// SPDX-License-Identifier: Apache-2.0
#include "mqtt/options.hpp"

#include <gtest/gtest.h>

namespace sluice::mqtt {
namespace {

TEST(BrokerAddress, IsReadFromAUrl) {
  EXPECT_EQ(BrokerAddress::parse("mqtt://127.0.0.1:1884"), (BrokerAddress{"127.0.0.1", 1884, false}));
  EXPECT_EQ(BrokerAddress::parse("mqtts://broker.example"), (BrokerAddress{"broker.example", 8883, true}));
  EXPECT_EQ(BrokerAddress::parse("mqtt://broker_1"), (BrokerAddress{"broker_1", 1883, false}));
  EXPECT_EQ(BrokerAddress::parse("mqtts://[::1]:8884"), (BrokerAddress{"::1", 8884, true}));
  EXPECT_EQ(BrokerAddress::parse("mqtt://[fe80::1%eth0]"), (BrokerAddress{"fe80::1%eth0", 1883, false}));
}

TEST(BrokerAddress, IsWrittenAsItIsRead) {
  for (const char* url : {"mqtt://127.0.0.1:1884", "mqtts://[::1]:8883"}) {
    EXPECT_EQ(to_string(BrokerAddress::parse(url).value()), url);
  }
}

TEST(BrokerAddress, RefusesAnythingElseAndSaysWhatItExpects) {
  for (const char* url :
       {"", "127.0.0.1", "tcp://a", "mqtt://", "mqtt://:1883", "mqtt://a:", "mqtt://a:0", "mqtt://a:65536",
        "mqtt://a:1883/x", "mqtt://a b", "mqtt://[::1", "mqtt://[::1]1883", "mqtt://user@host", "mqtt://::1",
        "MQTT://a", "mqtt://a:18 83"}) {
    std::string why;
    EXPECT_FALSE(BrokerAddress::parse(url, &why)) << url;
    EXPECT_NE(why.find("expected"), std::string::npos) << url;
  }
}

TEST(Version, IsReadFromTheConfiguration) {
  EXPECT_EQ(parse_version("5"), Version::v5);
  EXPECT_EQ(parse_version("3.1.1"), Version::v311);
  EXPECT_EQ(parse_version("3.1"), Version::v31);
  EXPECT_FALSE(parse_version("4"));
}

}  // namespace
}  // namespace sluice::mqtt
