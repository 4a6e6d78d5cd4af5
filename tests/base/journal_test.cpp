// SPDX-License-Identifier: Apache-2.0
#include "base/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::Contains;
using testing::ElementsAre;

TEST(Journal, SaysTextPriorityAndPart) {
  EXPECT_THAT(
      journal_entry(4, "mqtt", "no\nanswer", {}),
      ElementsAre("MESSAGE=mqtt: no\nanswer", "PRIORITY=4", "SYSLOG_IDENTIFIER=sluice", "SLUICE_PART=mqtt"));
}

TEST(Journal, NamesTheInstance) {
  EXPECT_THAT(journal_entry(6, "input.boiler", "x", {}), Contains("SLUICE_INPUT=boiler"));
  EXPECT_THAT(journal_entry(6, "input.hall.2", "x", {}), Contains("SLUICE_INPUT=hall.2"));
  EXPECT_THAT(journal_entry(6, "output.archive", "x", {}), Contains("SLUICE_OUTPUT=archive"));
  EXPECT_EQ(journal_entry(6, "inputs", "x", {}).size(), 4U);
}

TEST(Journal, CarriesWhatTheLineIsAbout) {
  const auto entry = journal_entry(3, "mqtt", "x", {{LogField::route, "2"}, {LogField::reason_code, "151"}});
  EXPECT_THAT(entry, Contains("SLUICE_ROUTE=2"));
  EXPECT_THAT(entry, Contains("SLUICE_REASON_CODE=151"));
}

}  // namespace
}  // namespace sluice
