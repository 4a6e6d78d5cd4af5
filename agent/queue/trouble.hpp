// SPDX-License-Identifier: Apache-2.0
// Something that fails for now: said once, tried again after a while. For one thread.
#pragma once

#include <algorithm>
#include <exception>
#include <string>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

namespace sluice::queue {

class Trouble {
 public:
  /// `what`: "mqtt: writing".
  Trouble(Log log, std::string what) : log_(std::move(log)), what_(std::move(what)) {}

  bool is_on() const { return on_; }
  const std::string& text() const { return text_; }
  Nanoseconds retry_at() const { return retry_at_; }

  /// Runs a step that may fail, unless it failed a moment ago.
  template <typename Step>
  void attempt(Nanoseconds now, const Step& step) noexcept {
    if (on_ && now < retry_at_) return;
    try {
      step();
      if (on_) log_.info("{} again", what_);
      on_ = false;
      backoff_.reset();
    } catch (const std::exception& error) {
      if (!on_) log_.error("{} fails, and is tried again: {}", what_, error.what());
      begin(error.what(), now);
    }
  }

  /// It has failed elsewhere.
  void begin(const std::string& text, Nanoseconds now) {
    on_ = true;
    text_ = text;
    // Half of it for certain, so that a disk that refuses at once is not asked in a loop.
    retry_at_ = now + backoff_.ceiling() / 2;
    retry_at_ += backoff_.next() / 2;
  }

 private:
  Log log_;
  std::string what_;
  bool on_ = false;
  std::string text_;
  Nanoseconds retry_at_{0};
  Backoff backoff_{std::chrono::milliseconds(200), std::chrono::seconds(5)};
};

}  // namespace sluice::queue
