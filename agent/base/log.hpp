// SPDX-License-Identifier: Apache-2.0
// Logging by part: `Logging` owns the sink and the levels, a `Log` is the cheap handle that a part writes
// through. Both are safe from every thread; levels may change while the parts write.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/journal.hpp"
#include "base/repeats.hpp"

namespace sluice {

enum class Level : std::uint8_t { trace, debug, info, warn, error };

struct LogOptions {
  enum class Target : std::uint8_t { automatic, standard_error, journal, file };
  Level level = Level::info;
  std::map<std::string, Level> levels;   ///< by part
  Target target = Target::automatic;     ///< automatic: the journal under systemd, else standard error
  std::string path;                      ///< of the file
  std::uint64_t max_bytes = 10'000'000;  ///< of one file, then it is rotated
  std::uint32_t keep = 3;                ///< rotated files
  bool operator==(const LogOptions&) const = default;
};

class Log {
 public:
  template <typename... Args>
  void trace(fmt::format_string<Args...> format, Args&&... args) const {
    write(Level::trace, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) const {
    write(Level::debug, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    write(Level::info, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) const {
    write(Level::warn, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) const {
    write(Level::error, format, fmt::make_format_args(args...));
  }

  /// `text` as it is.
  void line(Level level, std::string_view text) const;
  bool enabled(Level level) const;

  /// The same part, with one more field (of LogField's) in what it writes to the journal; elsewhere the text is all.
  Log with(const char* field, std::string value) const;
  Log with(const char* field, unsigned number) const { return with(field, std::to_string(number)); }

 private:
  friend class Logging;
  struct Outlet;
  struct Part;
  explicit Log(std::shared_ptr<Part> part) : part_(std::move(part)) {}
  void write(Level level, fmt::string_view format, fmt::format_args args) const;
  void say(Level level, std::string_view format, std::string_view text) const;

  std::shared_ptr<Part> part_;  // shared with Logging, which changes its level
  std::vector<LogField> fields_;
};

class Logging {
 public:
  /// From info on, what repeats itself beyond `limit` is summed up; debug and trace were asked for and are not.
  explicit Logging(const LogOptions& options, RepeatLimit limit = {});
  /// Every line goes to `receive` instead: for tests. It is called by the thread that logs.
  using Receive = std::function<void(Level level, std::string_view part, std::string_view text)>;
  explicit Logging(Receive receive, RepeatLimit limit = {.most = 0});
  ~Logging();  ///< sums up

  /// The handle of a part ("mqtt", "queue", "input.line1"). A part with a dot inherits the level of what
  /// stands before it.
  Log part(const std::string& name);
  /// Takes over the levels of `options`; the target stays.
  void set_levels(const LogOptions& options);
  /// Writes what was left out of the windows that are over. To be called now and then: each line does it too, but none
  /// may come.
  void sum_up();
  /// Lines left out, since ever.
  std::uint64_t suppressed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
