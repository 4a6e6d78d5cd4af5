// SPDX-License-Identifier: Apache-2.0
#include "commands/line_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <system_error>
#include <thread>
#include <vector>

#include "support/temporary_directory.hpp"

namespace sluice::commands {
namespace {

class LineFileTest : public testing::Test {
 protected:
  static std::vector<std::string> all(LineFile& file) {
    std::vector<std::string> lines;
    for (std::string line; file.next(line);) lines.push_back(line);
    return lines;
  }
  std::string write(const std::string& text) {
    directory_.write("lines", text);
    return directory_.file("lines");
  }
  test::TemporaryDirectory directory_;
};

TEST_F(LineFileTest, ReadsLinesOfAnyLengthAsOftenAsAsked) {
  const std::vector<std::string> expected = {
      "first", "", std::string(65'536, 'a'), std::string("a\0b", 3), std::string(300'000, 'b'), "last"};
  std::string text;
  for (const std::string& line : expected) text += line + '\n';
  LineFile file(write(text));
  EXPECT_EQ(all(file), expected);
  EXPECT_EQ(file.number(), 6U);
  EXPECT_EQ(file.place(), directory_.file("lines") + ":6");
  file.rewind();
  EXPECT_EQ(file.number(), 0U);
  EXPECT_EQ(all(file), expected);
}

TEST_F(LineFileTest, TheLastLineNeedsNoEnd) {
  LineFile file(write("a\nb"));
  EXPECT_EQ(all(file), (std::vector<std::string>{"a", "b"}));
  LineFile empty(write(""));
  EXPECT_TRUE(all(empty).empty());
}

TEST_F(LineFileTest, WhatIsNotThereIsAnError) {
  EXPECT_THROW(LineFile(directory_.file("nothing")), std::system_error);
}

TEST_F(LineFileTest, ReadsAPipeTwice) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int before = dup(STDIN_FILENO);
  ASSERT_GE(dup2(ends[0], STDIN_FILENO), 0);
  close(ends[0]);
  const std::string text = std::string(200'000, 'x') + "\nlast\n";
  std::thread writer([&] {
    std::size_t written = 0;
    while (written < text.size()) {
      const auto part = ::write(ends[1], text.data() + written, text.size() - written);
      if (part <= 0) break;
      written += static_cast<std::size_t>(part);
    }
    close(ends[1]);
  });
  LineFile file("-");
  writer.join();
  dup2(before, STDIN_FILENO);
  close(before);
  const std::vector<std::string> expected = {std::string(200'000, 'x'), "last"};
  EXPECT_EQ(all(file), expected);
  file.rewind();
  EXPECT_EQ(all(file), expected);
  EXPECT_EQ(file.place(), "standard input:2");
}

}  // namespace
}  // namespace sluice::commands
