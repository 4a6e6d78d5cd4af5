// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <fstream>
#include <sluice/testing.hpp>
#include <string>

namespace {

// A file with that content, for the time of a test.
class File {
 public:
  explicit File(const std::string& content) {
    const int fd = mkstemp(path_);
    EXPECT_GE(fd, 0);
    close(fd);
    std::ofstream(path_) << content;
  }
  ~File() { std::remove(path_); }
  std::string setting() const { return "path = \"" + std::string(path_) + "\"\n"; }

 private:
  char path_[32] = "/tmp/thermometer-XXXXXX";
};

const sluice_plugin& thermometer() {
  return sluice::test::load(THERMOMETER);
}

TEST(Thermometer, ReadsMillidegrees) {
  const File file("21500\n");
  sluice::test::Instance input(thermometer(), file.setting());
  EXPECT_TRUE(input.poll().ok());
  EXPECT_DOUBLE_EQ(input.wait_emitted(1)[0].number("value"), 21.5);
}

TEST(Thermometer, SaysWhenItWasMeasured) {
  const File file("21500\n");
  sluice::test::Instance input(thermometer(), file.setting());
  input.set_now({1'000, 2'000});
  input.poll();
  EXPECT_EQ(input.wait_emitted(1)[0].time_ns, 2'000);
}

TEST(Thermometer, FailsWhereThereIsNoNumber) {
  const File file("none");
  sluice::test::Instance input(thermometer(), file.setting());
  EXPECT_NE(input.poll().error.find("cannot read a number"), std::string::npos);
}

TEST(Thermometer, NeedsAPath) {
  EXPECT_THROW(sluice::test::Instance(thermometer(), "factor = 1.0"), sluice::test::BadSettings);
}

}  // namespace
