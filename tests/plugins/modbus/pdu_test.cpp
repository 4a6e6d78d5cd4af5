// SPDX-License-Identifier: Apache-2.0
#include "pdu.hpp"

#include <gtest/gtest.h>

namespace sluice::modbus {
namespace {

// The examples of the Modbus Application Protocol V1.1b3, chapter 6.
TEST(Pdu, AsksAsTheProtocolSays) {
  EXPECT_EQ(read_pdu(Kind::coil, 0x13, 0x13), (Pdu{1, 0, 0x13, 0, 0x13}));
  EXPECT_EQ(read_pdu(Kind::holding, 0x6B, 3), (Pdu{3, 0, 0x6B, 0, 3}));
  EXPECT_EQ(write_pdu(Kind::coil, 0xAC, {1}, false), (Pdu{5, 0, 0xAC, 0xFF, 0}));
  EXPECT_EQ(write_pdu(Kind::holding, 1, {3}, false), (Pdu{6, 0, 1, 0, 3}));
  EXPECT_EQ(write_pdu(Kind::coil, 0x13, {1, 0, 1, 1, 0, 0, 1, 1, 1, 0}, false),
            (Pdu{15, 0, 0x13, 0, 10, 2, 0xCD, 1}));
  EXPECT_EQ(write_pdu(Kind::holding, 1, {0x0A, 0x0102}, false), (Pdu{16, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2}));
}

TEST(Pdu, WritesASingleValueByTheFunctionForSeveralWhereTold) {
  EXPECT_EQ(write_pdu(Kind::coil, 1, {1}, true), (Pdu{15, 0, 1, 0, 1, 1, 1}));
  EXPECT_EQ(write_pdu(Kind::holding, 1, {7}, true), (Pdu{16, 0, 1, 0, 1, 2, 0, 7}));
}

TEST(Pdu, ReadsRegistersAndBits) {
  EXPECT_EQ(words_of(read_pdu(Kind::holding, 0, 2), {3, 4, 1, 2, 3, 4}),
            (std::vector<std::uint16_t>{0x0102, 0x0304}));
  EXPECT_EQ(words_of(read_pdu(Kind::coil, 0, 10), {1, 2, 0x05, 0x02}),
            (std::vector<std::uint16_t>{1, 0, 1, 0, 0, 0, 0, 0, 0, 1}));
}

TEST(Pdu, RefusesRepliesToSomethingElse) {
  const Pdu request = read_pdu(Kind::holding, 0, 2);
  EXPECT_EQ(mismatch(request, {3, 4, 1, 2, 3, 4}), "");
  EXPECT_NE(mismatch(request, {4, 4, 1, 2, 3, 4}), "");
  EXPECT_NE(mismatch(request, {3, 2, 1, 2}), "");
  EXPECT_NE(mismatch(request, {3, 4, 1, 2}), "");
  EXPECT_NE(mismatch(request, {3, 4, 1, 2, 3, 4, 5}), "");
  EXPECT_NE(mismatch(request, {}), "");
  EXPECT_NE(mismatch(request, {0x84, 2}), "");
  EXPECT_NE(mismatch(request, {0x83}), "");
  EXPECT_EQ(mismatch(request, {0x83, 2}), "");
  const Pdu write = write_pdu(Kind::holding, 1, {3}, false);
  EXPECT_EQ(mismatch(write, write), "");
  EXPECT_NE(mismatch(write, {6, 0, 1, 0, 4}), "");
}

TEST(Pdu, NamesExceptions) {
  EXPECT_EQ(exception_of({0x83, 2}), 2);
  EXPECT_EQ(exception_of({3, 2, 0, 0}), 0);
  EXPECT_EQ(exception_text(2), "illegal data address (exception 2)");
  EXPECT_EQ(exception_text(11), "gateway: the unit does not answer (exception 11)");
  EXPECT_EQ(exception_text(99), "unknown reason (exception 99)");
}

}  // namespace
}  // namespace sluice::modbus
