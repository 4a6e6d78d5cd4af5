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

 private:
  friend class Logging;
  struct Part;
  explicit Log(std::shared_ptr<Part> part) : part_(std::move(part)) {}
  void write(Level level, fmt::string_view format, fmt::format_args args) const;

  std::shared_ptr<Part> part_;  // shared with Logging, which changes its level
};

class Logging {
 public:
  explicit Logging(const LogOptions& options);
  /// Every line goes to `receive` instead: for tests. It is called by the thread that logs.
  using Receive = std::function<void(Level level, std::string_view part, std::string_view text)>;
  explicit Logging(Receive receive);
  ~Logging();

  /// The handle of a part ("mqtt", "queue", "input.line1"). A part with a dot inherits the level of what
  /// stands before it.
  Log part(const std::string& name);
  /// Takes over the levels of `options`; the target stays.
  void set_levels(const LogOptions& options);
  void flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
