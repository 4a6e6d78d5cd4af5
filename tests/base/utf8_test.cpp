// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice {
namespace {

std::string encoded(char32_t code) {
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80U | (code >> shift & 0x3FU)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0U | code >> 6U), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0U | code >> 12U), tail(6), tail(0)};
  return {static_cast<char>(0xF0U | code >> 18U), tail(12), tail(6), tail(0)};
}

TEST(Utf8, KnowsEveryCharacterAndNothingElse) {
  for (char32_t code = 0; code < 0x120000; ++code) {
    const std::string text = encoded(code);
    const Utf8Character character = first_character(text + "x");
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      ASSERT_EQ(character.bytes, 0U) << std::hex << static_cast<unsigned>(code);
    } else {
      ASSERT_EQ(character.bytes, text.size()) << std::hex << static_cast<unsigned>(code);
      ASSERT_EQ(character.code, code);
    }
  }
}

TEST(Utf8, RefusesCharactersThatAreCutShort) {
  for (char32_t code : {U'\u00E4', U'\u20AC', U'\U0001F600'}) {
    const std::string text = encoded(code);
    for (std::size_t bytes = 1; bytes < text.size(); ++bytes) {
      EXPECT_FALSE(is_utf8(std::string_view(text).substr(0, bytes)));
      EXPECT_FALSE(is_utf8(text.substr(0, bytes) + "xyz"));
    }
    EXPECT_TRUE(is_utf8(text + text));
  }
  EXPECT_TRUE(is_utf8(""));
}

TEST(Utf8, LooksAlsoBehindLongRunsOfAscii) {
  const std::string plain = "plain text of more than eight bytes";
  for (std::size_t length = 0; length <= plain.size(); ++length) {
    const std::string start = plain.substr(0, length);
    EXPECT_TRUE(is_utf8(start + "\xC3\xA9"));
    EXPECT_FALSE(is_utf8(start + "\xC3"));
    EXPECT_FALSE(is_utf8(start + "\x80 and more"));
  }
}

TEST(Utf8, RefusesOverlongForms) {
  for (const char* text :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

}  // namespace
}  // namespace sluice
