// SPDX-License-Identifier: Apache-2.0
// Which lines of the log are said once too often: of one kind (level, part and format) `most` pass in a window of time, the
// others are counted and summed up at its end. Not synchronised.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct RepeatLimit {
  std::uint32_t most = 20;  ///< 0 = no limit
  std::chrono::seconds window{60};
};

class Repeats {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Of one kind, in a window that is over.
  struct Sum {
    std::string part;
    int level = 0;
    std::uint64_t lines = 0;       ///< that did not pass
    std::chrono::seconds time{0};  ///< in which they came
    std::string last;              ///< of them
  };

  explicit Repeats(RepeatLimit limit) : limit_(limit) {}

  /// Whether a line passes. `format` tells what is of one kind; digits in it do not count.
  bool pass(int level, std::string_view part, std::string_view format, std::string_view text, TimePoint now);

  /// What did not pass, of the windows that are over; all: of the others, too.
  std::vector<Sum> take(TimePoint now, bool all = false);

  std::uint64_t suppressed() const { return suppressed_; }  ///< lines, since ever

 private:
  struct Window {
    TimePoint begin;
    std::uint64_t lines = 0;
    Sum sum;
  };

  static constexpr std::size_t most_kinds = 1000;  // in one window; further ones pass
  bool is_over(const Window& window, TimePoint now) const { return now - window.begin >= limit_.window; }

  const RepeatLimit limit_;
  std::map<std::string, Window, std::less<>> windows_;
  std::vector<Sum> ended_;
  std::uint64_t suppressed_ = 0;
};

}  // namespace sluice
