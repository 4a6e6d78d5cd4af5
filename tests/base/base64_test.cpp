// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

std::string base64(std::string_view bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

// RFC 4648, section 10.
TEST(Base64, EncodesTheVectorsOfTheStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, EncodesBytesAboveAscii) {
  EXPECT_EQ(base64(std::string_view("\xff\xfe\x00\xfb", 4)), "//4A+w==");
}

TEST(Base64, DecodesWhatItEncodes) {
  std::string bytes;
  for (int length = 0; length < 300; ++length) {
    EXPECT_EQ(from_base64(base64(bytes)), bytes);
    bytes += static_cast<char>(length * 7);
  }
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg==Zg==", "Zg===", "====", "=", "Zh==", "Zm9=", "Zm9 ",
                           "Zm9v\n", "Zm9vZg==\n", "Zm-v", "Zm_v", "=Zm9", "Z=m9",
                           "Zm\xff"
                           "9"}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
  EXPECT_EQ(from_base64(""), "");
}

}  // namespace
}  // namespace sluice
