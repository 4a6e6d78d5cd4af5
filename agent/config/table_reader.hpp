// SPDX-License-Identifier: Apache-2.0
// Reads the keys of one table by type, and knows afterwards which keys nobody asked for. Whatever is wrong becomes
// a problem "expected X, got Y", and the fallback is answered, so that one run reports everything. Used by one
// thread, while the table lives.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/settings.hpp"

namespace sluice::config {

/// The keys that the agent reads, by table as people write it: "[mqtt]", "[[route]]".
using KnownKeys = std::map<std::string, std::set<std::string>, std::less<>>;

struct DurationRange {
  std::chrono::nanoseconds min{0};
  std::chrono::nanoseconds max = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds step{1};  ///< a multiple of this
};

class TableReader {
 public:
  /// `table` may be null, as a table that is not in the file: every fallback then. What is no table is a problem.
  /// `section` is how people write the table. Keys that are asked for are added to `known`, where given.
  TableReader(const Setting* table, std::string section, Problems& problems, KnownKeys* known = nullptr);

  /// Is the key in the file? Counts as asked for.
  bool given(std::string_view key) { return find(key) != nullptr; }
  /// The setting whatever its type; null where it is not in the file.
  const Setting* find(std::string_view key);
  /// The same for a key that is none of this table's: it is left out of `known`.
  const Setting* find_foreign(std::string_view key);

  bool boolean(std::string_view key, bool fallback);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  std::string text(std::string_view key, std::string fallback);
  /// A string that must be there, and not be empty.
  std::string required_text(std::string_view key);
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback);
  std::chrono::nanoseconds duration(std::string_view key, std::chrono::nanoseconds fallback,
                                    DurationRange range = {});
  template <typename Duration>
  Duration duration_in(std::string_view key, Duration fallback, DurationRange range = {}) {
    range.step = Duration(1);
    return std::chrono::duration_cast<Duration>(duration(key, fallback, range));
  }
  std::uint64_t size(std::string_view key, std::uint64_t fallback, std::uint64_t min = 0,
                     std::uint64_t max = std::numeric_limits<std::int64_t>::max());

  template <typename T>
  using Choices = std::vector<std::pair<std::string_view, T>>;
  /// One of the strings in `choices`.
  template <typename T>
  T choice(std::string_view key, T fallback, const Choices<T>& choices) {
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices) words.push_back(word);
    const std::optional<std::size_t> index = choose(key, words);
    return index ? choices[*index].second : fallback;
  }

  /// A table below this one; null where it is not in the file, or no table, which is a problem.
  const Setting* table(std::string_view key);
  /// The elements of a list of tables.
  std::vector<const Setting*> tables(std::string_view key);

  /// Reports each key that nobody asked for, with the nearest known one. `everywhere` (may be null) tells of keys of
  /// other tables.
  void finish(const KnownKeys* everywhere = nullptr);
  /// The keys that nobody asked for, in the order of the file: a plugin's own.
  std::vector<const Setting*> rest() const;

  /// "expected `expected`, got Y" at `key`.
  void refuse(const Setting& at, const std::string& expected);
  /// A key that must be there and is not.
  void refuse_missing(std::string_view key, const std::string& expected);

 private:
  std::optional<std::size_t> choose(std::string_view key, const std::vector<std::string_view>& words);
  const std::string* string_at(const Setting& setting, const std::string& expected);

  const Setting* table_;
  std::string section_;
  Problems& problems_;
  KnownKeys* known_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace sluice::config
