// SPDX-License-Identifier: Apache-2.0
#include "codec.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace sluice::modbus {
namespace {

using Words = std::vector<std::uint16_t>;

Tag tag_of(const char* type, const char* order = "ABCD", std::uint16_t length = 0) {
  Tag tag;
  tag.name = "t";
  tag.type = *parse_type(type);
  tag.order = *parse_order(order);
  tag.length = length;
  return tag;
}

Value decoded(const Tag& tag, const Words& words) {
  const Decoded out = decode(tag, words.data());
  EXPECT_EQ(out.error, "");
  return out.value;
}

// Every type in every byte order, in both directions.
struct Case {
  const char* type;
  const char* order;
  Words words;
  Value value;
  std::uint16_t length = 0;
};

using I = std::int64_t;
using U = std::uint64_t;

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"bool", "ABCD", {0x0001}, true},
      {"bool", "ABCD", {0x0000}, false},
      {"int16", "ABCD", {0xFFFE}, I{-2}},
      {"int16", "BADC", {0xFEFF}, I{-2}},
      {"int16", "CDAB", {0xFFFE}, I{-2}},
      {"int16", "DCBA", {0xFEFF}, I{-2}},
      {"uint16", "ABCD", {0x1234}, U{0x1234}},
      {"uint16", "BADC", {0x3412}, U{0x1234}},
      {"uint16", "CDAB", {0x1234}, U{0x1234}},
      {"uint16", "DCBA", {0x3412}, U{0x1234}},
      {"int32", "ABCD", {0xFFFF, 0xFFFD}, I{-3}},
      {"int32", "BADC", {0xFFFF, 0xFDFF}, I{-3}},
      {"int32", "CDAB", {0xFFFD, 0xFFFF}, I{-3}},
      {"int32", "DCBA", {0xFDFF, 0xFFFF}, I{-3}},
      {"uint32", "ABCD", {0x0102, 0x0304}, U{0x01020304}},
      {"uint32", "BADC", {0x0201, 0x0403}, U{0x01020304}},
      {"uint32", "CDAB", {0x0304, 0x0102}, U{0x01020304}},
      {"uint32", "DCBA", {0x0403, 0x0201}, U{0x01020304}},
      {"float32", "ABCD", {0x41AC, 0x0000}, 21.5},
      {"float32", "BADC", {0xAC41, 0x0000}, 21.5},
      {"float32", "CDAB", {0x0000, 0x41AC}, 21.5},
      {"float32", "DCBA", {0x0000, 0xAC41}, 21.5},
      {"int64", "ABCD", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFB}, I{-5}},
      {"int64", "CDAB", {0xFFFB, 0xFFFF, 0xFFFF, 0xFFFF}, I{-5}},
      {"int64", "ABCD", {0x8000, 0, 0, 0}, std::numeric_limits<I>::min()},
      {"uint64", "ABCD", {0x0102, 0x0304, 0x0506, 0x0708}, U{0x0102030405060708}},
      {"uint64", "BADC", {0x0201, 0x0403, 0x0605, 0x0807}, U{0x0102030405060708}},
      {"uint64", "CDAB", {0x0708, 0x0506, 0x0304, 0x0102}, U{0x0102030405060708}},
      {"uint64", "DCBA", {0x0807, 0x0605, 0x0403, 0x0201}, U{0x0102030405060708}},
      {"uint64", "ABCD", {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, std::numeric_limits<U>::max()},
      {"float64", "ABCD", {0xC004, 0x0000, 0x0000, 0x0000}, -2.5},
      {"float64", "BADC", {0x04C0, 0x0000, 0x0000, 0x0000}, -2.5},
      {"float64", "CDAB", {0x0000, 0x0000, 0x0000, 0xC004}, -2.5},
      {"float64", "DCBA", {0x0000, 0x0000, 0x0000, 0x04C0}, -2.5},
      {"float16", "ABCD", {0x4D60}, 21.5},
      {"float16", "BADC", {0x604D}, 21.5},
      {"float16", "ABCD", {0xC100}, -2.5},
      {"float16", "ABCD", {0x7BFF}, 65504.0},
      {"float16", "ABCD", {0x0001}, std::ldexp(1.0, -24)},
      {"float16", "ABCD", {0x0400}, std::ldexp(1.0, -14)},
      {"bcd16", "ABCD", {0x1234}, U{1234}},
      {"bcd16", "BADC", {0x3412}, U{1234}},
      {"bcd32", "ABCD", {0x1234, 0x5678}, U{12345678}},
      {"bcd32", "CDAB", {0x5678, 0x1234}, U{12345678}},
      {"string", "ABCD", {0x4142, 0x4300}, std::string("ABC"), 4},
      {"string", "CDAB", {0x4142, 0x4300}, std::string("ABC"), 4},
      {"string", "BADC", {0x4241, 0x0043}, std::string("ABC"), 4},
      {"string", "DCBA", {0x4241, 0x0043}, std::string("ABC"), 4},
      {"string", "ABCD", {0x4142, 0x4300}, std::string("ABC"), 3},
  };
  return all;
}

TEST(Codec, ReadsEveryTypeInEveryByteOrder) {
  for (const Case& one : cases()) {
    const Tag tag = tag_of(one.type, one.order, one.length);
    ASSERT_EQ(tag.width(), one.words.size()) << one.type;
    EXPECT_EQ(decoded(tag, one.words), one.value) << one.type << ' ' << one.order;
  }
}

TEST(Codec, WritesWhatItReads) {
  for (const Case& one : cases()) {
    const Encoded out = encode(tag_of(one.type, one.order, one.length), one.value);
    EXPECT_EQ(out.words, one.words) << one.type << ' ' << one.order;
    EXPECT_EQ(out.mask, 0xFFFF);
  }
}

TEST(Codec, ReadsAndWritesHalvesOfARegister) {
  EXPECT_EQ(decoded(tag_of("int8-high"), {0xFE7F}), Value(I{-2}));
  EXPECT_EQ(decoded(tag_of("int8-low"), {0x7FFE}), Value(I{-2}));
  EXPECT_EQ(decoded(tag_of("uint8-high"), {0xFE01}), Value(U{254}));
  EXPECT_EQ(decoded(tag_of("uint8-low"), {0x01FE}), Value(U{254}));
  EXPECT_EQ(decoded(tag_of("uint8-low", "BADC"), {0x01FE}), Value(U{1}));
  for (const char* order : {"ABCD", "BADC"}) {
    for (const char* type : {"int8-high", "int8-low"}) {
      const Tag tag = tag_of(type, order);
      const Encoded out = encode(tag, I{-2});
      EXPECT_EQ(decoded(tag, {static_cast<std::uint16_t>(out.words[0] & out.mask)}), Value(I{-2}))
          << type << order;
      EXPECT_TRUE(out.mask == 0xFF00 || out.mask == 0x00FF);
    }
  }
  EXPECT_EQ(encode(tag_of("uint8-high"), U{0xAB}).mask, 0xFF00);
  EXPECT_EQ(encode(tag_of("uint8-high"), U{0xAB}).words, Words{0xAB00});
}

TEST(Codec, ReadsAndWritesOneBitOfARegister) {
  Tag tag = tag_of("bool");
  tag.bit = 3;
  EXPECT_EQ(decoded(tag, {0x0008}), Value(true));
  EXPECT_EQ(decoded(tag, {0xFFF7}), Value(false));
  EXPECT_EQ(encode(tag, true).words, Words{0x0008});
  EXPECT_EQ(encode(tag, false).words, Words{0});
  EXPECT_EQ(encode(tag, true).mask, 0x0008);
}

TEST(Codec, ReadsCoils) {
  Tag tag = tag_of("bool");
  tag.kind = Kind::coil;
  EXPECT_EQ(decoded(tag, {1}), Value(true));
  EXPECT_EQ(decoded(tag, {0}), Value(false));
  for (const Value& on : {Value(true), Value(I{1}), Value(U{1}), Value(1.0), Value(std::string("true")),
                          Value(std::string("on")), Value(std::string("1"))}) {
    EXPECT_EQ(encode(tag, on).words, Words{1});
  }
  EXPECT_THROW(encode(tag, I{2}), std::invalid_argument);
  EXPECT_THROW(encode(tag, std::string("yes please")), std::invalid_argument);
}

TEST(Codec, KeepsIntegersUnlessTheTagIsScaled) {
  Tag tag = tag_of("int16");
  EXPECT_TRUE(std::holds_alternative<I>(decoded(tag, {5})));
  tag.scale = 0.1;
  tag.offset = -10;
  EXPECT_DOUBLE_EQ(std::get<double>(decoded(tag, {215})), 11.5);
  EXPECT_DOUBLE_EQ(std::get<double>(decoded(tag, {0xFFFF})), -10.1);
}

TEST(Codec, RoundsToDecimals) {
  Tag tag = tag_of("float32");
  tag.decimals = 2;
  EXPECT_EQ(decoded(tag, encode(tag, 0.1).words), Value(0.1));
  tag.decimals = 0;
  EXPECT_EQ(decoded(tag, {0x41AC, 0x0000}), Value(22.0));
  tag.decimals = 15;  // of a number so large that it cannot be rounded
  EXPECT_EQ(std::get<double>(decoded(tag, {0x7F7F, 0xFFFF})),
            static_cast<double>(std::numeric_limits<float>::max()));
}

TEST(Codec, ReadsWhatIsNoNumberAsSuch) {
  EXPECT_TRUE(std::isnan(std::get<double>(decoded(tag_of("float32"), {0x7FC0, 0}))));
  EXPECT_TRUE(std::isinf(std::get<double>(decoded(tag_of("float16"), {0xFC00}))));
  EXPECT_EQ(decode(tag_of("bcd16"), Words{0x12AF}.data()).error, "not a BCD number: 0x12AF");
}

TEST(Codec, CutsTextAtZeroAndTrailingSpaces) {
  EXPECT_EQ(decoded(tag_of("string", "ABCD", 6), {0x4100, 0x4242, 0x4242}), Value(std::string("A")));
  EXPECT_EQ(decoded(tag_of("string", "ABCD", 4), {0x4120, 0x2020}), Value(std::string("A")));
  EXPECT_EQ(decoded(tag_of("string", "ABCD", 4), {0, 0}), Value(std::string()));
  EXPECT_EQ(decoded(tag_of("bytes", "ABCD", 3), {0x4100, 0x4200}), Value(Bytes{0x41, 0, 0x42}));
}

TEST(Codec, WritesBytesFromHexadecimalText) {
  EXPECT_EQ(encode(tag_of("bytes", "ABCD", 3), std::string("0a1B2c")).words, (Words{0x0A1B, 0x2C00}));
  for (const char* wrong : {"0a1", "0a1b2c3d", "0a", "0a1bzz", "0a1b 2"}) {
    EXPECT_THROW(encode(tag_of("bytes", "ABCD", 3), std::string(wrong)), std::invalid_argument) << wrong;
  }
}

TEST(Codec, InvertsScaleAndOffsetAndRounds) {
  Tag tag = tag_of("int16");
  tag.scale = 0.1;
  tag.offset = -10;
  EXPECT_EQ(encode(tag, 11.5).words, Words{215});
  EXPECT_EQ(encode(tag, 11.52).words, Words{215});
  EXPECT_EQ(encode(tag, std::string("11.5")).words, Words{215});
  EXPECT_EQ(encode(tag, I{-10}).words, Words{0});
}

void expect_refused(const Tag& tag, const Value& value, const std::string& part) {
  try {
    encode(tag, value);
    ADD_FAILURE() << "was taken instead of: " << part;
  } catch (const std::invalid_argument& why) {
    EXPECT_NE(std::string(why.what()).find(part), std::string::npos) << why.what();
  }
}

TEST(Codec, RefusesWhatDoesNotFit) {
  expect_refused(tag_of("uint16"), I{-1}, "does not fit uint16: expected 0..65535, got -1");
  expect_refused(tag_of("uint16"), I{65536}, "0..65535");
  expect_refused(tag_of("int16"), I{32768}, "-32768..32767");
  expect_refused(tag_of("int16"), 1e300, "-32768..32767");
  expect_refused(tag_of("uint8-low"), I{256}, "0..255");
  expect_refused(tag_of("int64"), U{1} << 63, "does not fit int64");
  expect_refused(tag_of("uint64"), I{-1}, "does not fit uint64");
  expect_refused(tag_of("int64"), std::ldexp(1.0, 63), "does not fit int64");
  expect_refused(tag_of("uint64"), std::ldexp(1.0, 64), "does not fit uint64");
  expect_refused(tag_of("bcd16"), I{10000}, "0..9999");
  expect_refused(tag_of("float32"), 1e39, "does not fit float32");
  expect_refused(tag_of("float16"), 70000.0, "does not fit float16");
  expect_refused(tag_of("uint16"), 1.5, "a whole number");
  expect_refused(tag_of("uint16"), std::string("fast"), "expected a number, got \"fast\"");
  expect_refused(tag_of("uint16"), true, "expected a number");
  expect_refused(tag_of("uint16"), std::nan(""), "a finite number");
  expect_refused(tag_of("string", "ABCD", 2), std::string("ABC"), "at most 2 bytes, got 3");
  expect_refused(tag_of("string", "ABCD", 2), I{1}, "expected text");
}

TEST(Codec, RefusesWhatIsOutsideMinimumAndMaximum) {
  Tag tag = tag_of("int16");
  tag.scale = 0.1;
  tag.unit = "bar";
  tag.minimum = 0;
  tag.maximum = 12.5;
  expect_refused(tag, 12.6, "expected at most 12.5 bar, got 12.6");
  expect_refused(tag, -0.1, "expected at least 0 bar, got -0.1");
  EXPECT_EQ(encode(tag, 12.5).words, Words{125});
}

TEST(Codec, RoundTripsEveryFloat16) {
  const Tag tag = tag_of("float16");
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    if ((half >> 10 & 31) == 31) continue;  // infinities and NaN are not written
    const Words words{static_cast<std::uint16_t>(half)};
    ASSERT_EQ(encode(tag, decoded(tag, words)).words, words) << half;
  }
}

}  // namespace
}  // namespace sluice::modbus
