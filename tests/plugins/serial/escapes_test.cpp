// SPDX-License-Identifier: Apache-2.0
#include "serial/escapes.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace {

using serial::escape;
using serial::unescape;

TEST(Escapes, StandForOneByteEach) {
  EXPECT_EQ(unescape("a\\r\\n\\t\\0\\\\\\x02\\xFfz"), std::string("a\r\n\t\0\\\x02\xffz", 9));
  EXPECT_EQ(unescape("\r\n"), "\r\n");
  EXPECT_EQ(unescape(""), "");
}

TEST(Escapes, ThatAreNoneAreRefused) {
  for (const char* wrong : {"\\", "a\\", "\\q", "\\x", "\\x1", "\\xg1", "\\x1g", "\\x-1", "\\x 1"}) {
    EXPECT_THROW(unescape(wrong), std::invalid_argument) << wrong;
  }
}

TEST(Escapes, ShowEveryByteAndReadBackTheSame) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string shown = escape(all);
  EXPECT_EQ(unescape(shown), all);
  for (const char c : shown) EXPECT_TRUE(c >= ' ' && c < 0x7F);
}

}  // namespace
