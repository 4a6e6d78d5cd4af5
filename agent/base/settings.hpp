// SPDX-License-Identifier: Apache-2.0
// A tree of values with their places in the file: what the configuration is read into, and what the parts and
// the plugins read their options from. Values; not shared between threads while they change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.hpp"

namespace sluice {

/// Where something stands. line 0: nowhere in a file (a default).
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  bool operator==(const Place&) const = default;
};

/// "sluice.toml:42", or "" for a default.
std::string to_string(const Place& place);

/// The kinds are those of the file, where durations and sizes are strings; checking against a declaration
/// turns such a string into `duration` (ns) or `size` (bytes).
enum class SettingKind : std::uint8_t { boolean, integer, number, string, duration, size, table, list };

/// "a string", "an integer": for messages.
std::string_view describe(SettingKind kind);

struct Setting {
  std::string key;  ///< empty for an element of a list
  SettingKind kind = SettingKind::table;
  Value value;  ///< bool; int64 (integer, duration in ns); uint64 (size in bytes); double; string
  std::vector<Setting> children;  ///< of a table or a list, in the order of the file
  Place place;
  std::string path;  ///< for people: `input "line1": baud`, `mqtt.keepalive`

  const Setting* find(std::string_view child) const;
};

/// One refusal: "sluice.toml:42: input "line1": baud: expected 50..4000000, got "fast"".
struct Problem {
  Place place;
  std::string path;
  std::string text;
};
std::string to_string(const Problem& problem);

/// Collects all refusals of a run, so that they are reported together.
class Problems {
 public:
  void add(const Setting& at, std::string text) { add(at.place, at.path, std::move(text)); }
  void add(Place place, std::string path, std::string text) {
    problems_.push_back({std::move(place), std::move(path), std::move(text)});
  }
  bool empty() const { return problems_.empty(); }
  const std::vector<Problem>& all() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

/// The candidate nearest to `word` by edit distance; empty where none is near enough to be meant.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// "500ms" -> ns: a whole or decimal number and ns, us, ms, s, m, h or d; false for anything else or what
/// does not fit.
bool parse_duration(std::string_view text, std::int64_t& nanoseconds);
/// "64MiB" -> bytes: a whole or decimal number and B, kB, KiB, MB, MiB, GB or GiB; false likewise.
bool parse_size(std::string_view text, std::uint64_t& bytes);

}  // namespace sluice
