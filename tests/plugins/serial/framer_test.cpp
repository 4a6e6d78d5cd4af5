// SPDX-License-Identifier: Apache-2.0
#include "serial/framer.hpp"

#include <gtest/gtest.h>

#include <random>

namespace {

using serial::Frame;
using serial::Framer;
using serial::Framing;

std::vector<std::string> texts(const std::vector<Frame>& frames) {
  std::vector<std::string> out;
  for (const Frame& frame : frames) out.push_back(frame.bytes);
  return out;
}

// Feeds `bytes` cut into pieces of `size`.
std::vector<std::string> fed(Framer& framer, std::string_view bytes, std::size_t size) {
  std::vector<Frame> frames;
  for (std::size_t at = 0; at < bytes.size(); at += size) framer.feed(bytes.substr(at, size), 0, frames);
  return texts(frames);
}

Framer::Options delimited(const std::string& delimiter, std::size_t max_frame = 100) {
  Framer::Options options;
  options.delimiter = delimiter;
  options.max_frame = max_frame;
  return options;
}

using Texts = std::vector<std::string>;

TEST(Framer, CutsAtADelimiterInOneBurstAndByteByByte) {
  for (std::size_t size = 1; size < 30; ++size) {
    Framer framer(delimited("\r\n"));
    EXPECT_EQ(fed(framer, "one\r\ntwo\rthree\n\r\nfour\r\nrest", size),
              (Texts{"one", "two\rthree\n", "four"}))
        << size;
  }
}

TEST(Framer, KeepsTheDelimiterWhereTold) {
  Framer::Options options = delimited("::");
  options.keep_delimiter = true;
  Framer framer(options);
  EXPECT_EQ(fed(framer, "a::b:::c::", 1), (Texts{"a::", "b::", ":c::"}));
}

TEST(Framer, CountsWhatIsEmptyAndLeavesItOut) {
  Framer framer(delimited("\n"));
  EXPECT_EQ(fed(framer, "\n\na\n\nb\n", 3), (Texts{"a", "b"}));
  EXPECT_EQ(framer.losses().empty, 3u);
}

TEST(Framer, TakesADelimiterOfAnyBytes) {
  Framer framer(delimited(std::string("\0\xff", 2)));
  EXPECT_EQ(fed(framer, std::string_view("a\0b\0\xff\xff\0\xff", 8), 1),
            (Texts{std::string("a\0b", 3), "\xff"}));
}

TEST(Framer, DropsAFrameThatIsTooLongCountsItOnceAndFindsTheNext) {
  for (std::size_t size = 1; size < 60; ++size) {
    Framer framer(delimited("\r\n", 10));
    const std::string bytes = "0123456789\r\n" + std::string(50, 'x') + "\r\n01234567890\r\nok\r\n";
    EXPECT_EQ(fed(framer, bytes, size), (Texts{"0123456789", "ok"})) << size;
    EXPECT_EQ(framer.losses().overflows, 2u) << size;
  }
}

TEST(Framer, CutsByLengthInOneBurstAndByteByByte) {
  Framer::Options options;
  options.framing = Framing::length;
  options.length = 4;
  for (std::size_t size = 1; size < 12; ++size) {
    Framer framer(options);
    EXPECT_EQ(fed(framer, "aaaa\nbbbccccdd", size), (Texts{"aaaa", "\nbbb", "cccc"})) << size;
  }
}

TEST(Framer, CutsAtSilence) {
  Framer::Options options;
  options.framing = Framing::silence;
  options.gap_ns = 20;
  Framer framer(options);
  std::vector<Frame> frames;
  EXPECT_FALSE(framer.deadline_ns());
  framer.feed("ab", 100, frames);
  framer.feed("c", 115, frames);
  EXPECT_EQ(framer.deadline_ns(), 135);
  framer.expire(134, frames);
  EXPECT_TRUE(frames.empty());
  framer.expire(135, frames);
  framer.expire(200, frames);
  ASSERT_EQ(texts(frames), (Texts{"abc"}));
  EXPECT_EQ(frames[0].first_byte_ns, 100);
  EXPECT_FALSE(framer.deadline_ns());
  framer.feed("d", 300, frames);
  framer.expire(320, frames);
  EXPECT_EQ(texts(frames), (Texts{"abc", "d"}));
}

TEST(Framer, WithoutSilenceAFrameOverflowsAndTheNextBeginsAfterTheSilence) {
  Framer::Options options;
  options.framing = Framing::silence;
  options.gap_ns = 20;
  options.max_frame = 5;
  Framer framer(options);
  std::vector<Frame> frames;
  for (int i = 0; i < 20; ++i) framer.feed("xy", i, frames);
  EXPECT_EQ(framer.losses().overflows, 1u);
  framer.expire(19 + 20, frames);
  EXPECT_TRUE(frames.empty());
  framer.feed("fives", 100, frames);
  framer.expire(120, frames);
  EXPECT_EQ(texts(frames), (Texts{"fives"}));
  EXPECT_EQ(framer.losses().overflows, 1u);
}

TEST(Framer, StampsAFrameWithItsFirstByte) {
  Framer framer(delimited("\r\n"));
  std::vector<Frame> frames;
  framer.feed("a", 10, frames);
  framer.feed("a\r", 20, frames);
  framer.feed("\nb\r\nc", 30, frames);
  framer.feed("\r\n", 40, frames);
  framer.feed("d\r\n", 50, frames);
  ASSERT_EQ(texts(frames), (Texts{"aa", "b", "c", "d"}));
  EXPECT_EQ(frames[0].first_byte_ns, 10);
  EXPECT_EQ(frames[1].first_byte_ns, 30);
  EXPECT_EQ(frames[2].first_byte_ns, 30);
  EXPECT_EQ(frames[3].first_byte_ns, 50);
}

TEST(Framer, DropsAnUnfinishedFrameAfterItsTimeoutSoThatALostByteCostsOneFrame) {
  Framer::Options options;
  options.framing = Framing::length;
  options.length = 4;
  options.frame_timeout_ns = 50;
  Framer framer(options);
  std::vector<Frame> frames;
  framer.feed("abc", 100, frames);  // the fourth was lost
  EXPECT_EQ(framer.deadline_ns(), 150);
  framer.expire(149, frames);
  EXPECT_EQ(framer.losses().incomplete, 0u);
  framer.expire(150, frames);
  EXPECT_EQ(framer.losses().incomplete, 1u);
  framer.feed("efgh", 200, frames);
  EXPECT_EQ(texts(frames), (Texts{"efgh"}));
}

TEST(Framer, WithoutATimeoutAnUnfinishedFrameWaits) {
  Framer framer(delimited("\n"));
  std::vector<Frame> frames;
  framer.feed("ab", 100, frames);
  EXPECT_FALSE(framer.deadline_ns());
  framer.expire(INT64_MAX, frames);
  framer.feed("c\n", 200, frames);
  EXPECT_EQ(texts(frames), (Texts{"abc"}));
}

TEST(Framer, AbandonsWhatTheEndOfTheLineLeftUnfinished) {
  Framer framer(delimited("\n"));
  std::vector<Frame> frames;
  framer.feed("old", 1, frames);
  framer.abandon();
  framer.abandon();
  EXPECT_EQ(framer.losses().incomplete, 1u);
  framer.feed("new\n", 2, frames);
  EXPECT_EQ(texts(frames), (Texts{"new"}));
}

// However the bytes arrive, the frames and the counts are the same.
TEST(Framer, DoesNotDependOnHowTheBytesArrive) {
  std::mt19937 random(1);
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    for (std::size_t i = 0, n = below(200); i < n; ++i) bytes += "ab\r\n"[below(4)];
    for (const char* delimiter : {"\n", "\r\n", "aab", "abab"}) {
      Framer whole(delimited(delimiter, 7));
      Framer pieces(delimited(delimiter, 7));
      const Texts expected = fed(whole, bytes, bytes.size() + 1);
      std::vector<Frame> frames;
      for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t size = 1 + below(9);
        pieces.feed(std::string_view(bytes).substr(at, size), 0, frames);
        at += size;
      }
      ASSERT_EQ(texts(frames), expected);
      ASSERT_EQ(pieces.losses().overflows, whole.losses().overflows);
      ASSERT_EQ(pieces.losses().empty, whole.losses().empty);
    }
  }
}

}  // namespace
