// SPDX-License-Identifier: Apache-2.0
#include "mqtt/reason.hpp"

#include <gtest/gtest.h>

namespace sluice::mqtt {
namespace {

TEST(Reason, IsToldInWords) {
  EXPECT_EQ(reason_in_words(0x87), "0x87 not authorised");
  EXPECT_EQ(reason_in_words(0x97), "0x97 quota exceeded");
  EXPECT_EQ(reason_in_words(0xEE), "0xEE unknown reason");
}

TEST(Reason, OfAConnackSaysWhatToDo) {
  EXPECT_NE(connack_in_words(0x86, Version::v5).find("mqtt.password_file"), std::string::npos);
  EXPECT_NE(connack_in_words(4, Version::v311).find("bad user name or password"), std::string::npos);
  EXPECT_NE(connack_in_words(5, Version::v31).find("not authorised"), std::string::npos);
  EXPECT_NE(connack_in_words(1, Version::v5).find("mqtt.version"), std::string::npos);
  EXPECT_EQ(connack_in_words(0x88, Version::v5), "0x88 server unavailable");
}

TEST(Reason, OfASubscriptionBeforeVersion5HasNoDetail) {
  EXPECT_EQ(suback_in_words(0x87, Version::v5), "0x87 not authorised");
  EXPECT_NE(suback_in_words(0x80, Version::v311).find("without a reason"), std::string::npos);
}

TEST(Reason, IsForGoodOnlyWhereTheSameMessageCannotPassLater) {
  for (const int good : {0x87, 0x90, 0x95, 0x99, 0x9A, 0x9B}) {
    EXPECT_TRUE(refused_for_good(static_cast<std::uint8_t>(good))) << good;
  }
  for (const int later : {0x80, 0x83, 0x91, 0x97}) {
    EXPECT_FALSE(refused_for_good(static_cast<std::uint8_t>(later))) << later;
  }
}

}  // namespace
}  // namespace sluice::mqtt
