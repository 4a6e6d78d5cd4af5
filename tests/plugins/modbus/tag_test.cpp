// SPDX-License-Identifier: Apache-2.0
#include "tag.hpp"

#include <gtest/gtest.h>

namespace sluice::modbus {
namespace {

TEST(Reference, NamesTableAndAddressFromOne) {
  const auto check = [](const char* text, Kind kind, std::uint16_t address) {
    const auto reference = parse_reference(text);
    ASSERT_TRUE(reference.has_value()) << text;
    EXPECT_EQ(reference->kind, kind) << text;
    EXPECT_EQ(reference->address, address) << text;
  };
  check("40001", Kind::holding, 0);
  check("400001", Kind::holding, 0);
  check("465536", Kind::holding, 65535);
  check("30010", Kind::input, 9);
  check("10001", Kind::discrete, 0);
  check("00001", Kind::coil, 0);
  check("000100", Kind::coil, 99);
}

TEST(Reference, RefusesEverythingElse) {
  for (const char* text :
       {"", "4", "4000", "40000", "20001", "465537", "4x001", "4000001", "-0001", "4 001"}) {
    EXPECT_FALSE(parse_reference(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace sluice::modbus
