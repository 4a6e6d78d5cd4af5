// SPDX-License-Identifier: Apache-2.0
#include "config/table_reader.hpp"

#include <algorithm>

#include "config/words.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view duration_example = "a duration such as \"500ms\"";
constexpr std::string_view size_example = "a size such as \"64MiB\"";

std::string integer_range(std::int64_t min, std::int64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max()) return "an integer of at least " + std::to_string(min);
  return std::to_string(min) + ".." + std::to_string(max);
}

std::string duration_range(const DurationRange& range) {
  const std::string least = duration_text(range.min.count());
  if (range.max == std::chrono::nanoseconds::max()) return "at least " + least;
  return least + ".." + duration_text(range.max.count());
}

std::string size_range(std::uint64_t min, std::uint64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max()) return "at least " + size_text(min);
  return size_text(min) + ".." + size_text(max);
}

}  // namespace

TableReader::TableReader(const Setting* table, std::string section, Problems& problems, KnownKeys* known)
    : table_(table), section_(std::move(section)), problems_(problems), known_(known) {
  if (table_ != nullptr && table_->kind != SettingKind::table) {
    refuse(*table_, "a table " + section_);
    table_ = nullptr;
  }
}

const Setting* TableReader::find(std::string_view key) {
  asked_.emplace(key);
  if (known_ != nullptr) (*known_)[section_].emplace(key);
  return table_ == nullptr ? nullptr : table_->find(key);
}

const Setting* TableReader::find_foreign(std::string_view key) {
  const Setting* setting = table_ == nullptr ? nullptr : table_->find(key);
  if (setting != nullptr) asked_.emplace(key);
  return setting;
}

bool TableReader::boolean(std::string_view key, bool fallback) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  if (const bool* value = std::get_if<bool>(&setting->value)) return *value;
  refuse(*setting, "true or false");
  return fallback;
}

std::int64_t TableReader::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  const auto* value = std::get_if<std::int64_t>(&setting->value);
  if (value != nullptr && *value >= min && *value <= max) return *value;
  refuse(*setting, integer_range(min, max));
  return fallback;
}

const std::string* TableReader::string_at(const Setting& setting, const std::string& expected) {
  const auto* value = std::get_if<std::string>(&setting.value);
  if (value == nullptr) {
    refuse(setting, expected);
  } else if (value->find('\0') != std::string::npos) {
    refuse(setting, expected + " without zero bytes");
    value = nullptr;
  }
  return value;
}

std::string TableReader::text(std::string_view key, std::string fallback) {
  const Setting* setting = find(key);
  const std::string* value = setting == nullptr ? nullptr : string_at(*setting, "a string");
  return value == nullptr ? std::move(fallback) : *value;
}

std::string TableReader::required_text(std::string_view key) {
  const std::string expected = std::string(key) + " = \"...\"";
  const Setting* setting = find(key);
  if (setting == nullptr) {
    refuse_missing(key, expected);
    return "";
  }
  const std::string* value = string_at(*setting, "a string");
  if (value == nullptr) return "";
  if (value->empty()) refuse(*setting, "a string that is not empty");
  return *value;
}

std::vector<std::string> TableReader::texts(std::string_view key, std::vector<std::string> fallback) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  if (setting->kind != SettingKind::list) {
    refuse(*setting, "a list of strings");
    return fallback;
  }
  std::vector<std::string> values;
  for (const Setting& element : setting->children) {
    if (const std::string* value = string_at(element, "a string")) values.push_back(*value);
  }
  return values;
}

std::chrono::nanoseconds TableReader::duration(std::string_view key, std::chrono::nanoseconds fallback,
                                               DurationRange range) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  const auto* text = std::get_if<std::string>(&setting->value);
  std::int64_t count = 0;
  if (text == nullptr || !parse_duration(*text, count)) {
    refuse(*setting, std::string(duration_example));
    return fallback;
  }
  const std::chrono::nanoseconds value(count);
  if (value < range.min || value > range.max) {
    refuse(*setting, duration_range(range));
  } else if (count % range.step.count() != 0) {
    refuse(*setting, "a multiple of " + duration_text(range.step.count()));
  } else {
    return value;
  }
  return fallback;
}

std::uint64_t TableReader::size(std::string_view key, std::uint64_t fallback, std::uint64_t min,
                                std::uint64_t max) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  const auto* text = std::get_if<std::string>(&setting->value);
  std::uint64_t bytes = 0;
  if (text == nullptr || !parse_size(*text, bytes)) {
    refuse(*setting, std::string(size_example));
  } else if (bytes < min || bytes > max) {
    refuse(*setting, size_range(min, max));
  } else {
    return bytes;
  }
  return fallback;
}

std::optional<std::size_t> TableReader::choose(std::string_view key,
                                               const std::vector<std::string_view>& words) {
  const Setting* setting = find(key);
  if (setting == nullptr) return std::nullopt;
  const auto* value = std::get_if<std::string>(&setting->value);
  const auto found = value == nullptr ? words.end() : std::find(words.begin(), words.end(), *value);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  problems_.add(*setting, "expected " + alternatives(words) + ", got " + describe_value(*setting) +
                              (value == nullptr ? "" : did_you_mean(*value, words)));
  return std::nullopt;
}

const Setting* TableReader::table(std::string_view key) {
  const Setting* setting = find(key);
  if (setting == nullptr || setting->kind == SettingKind::table) return setting;
  refuse(*setting, "a table");
  return nullptr;
}

std::vector<const Setting*> TableReader::tables(std::string_view key) {
  std::vector<const Setting*> found;
  const Setting* setting = find(key);
  if (setting == nullptr) return found;
  if (setting->kind != SettingKind::list) {
    refuse(*setting, "[[" + setting->path + "]], a list of tables");
    return found;
  }
  for (const Setting& element : setting->children) {
    if (element.kind == SettingKind::table) {
      found.push_back(&element);
    } else {
      refuse(element, "a table");
    }
  }
  return found;
}

void TableReader::finish(const KnownKeys* everywhere) {
  const std::vector<std::string_view> candidates(asked_.begin(), asked_.end());
  for (const Setting* unknown : rest()) {
    std::string text = "unknown key " + quote(unknown->key);
    std::string elsewhere;
    if (everywhere != nullptr) {
      for (const auto& [section, keys] : *everywhere) {
        if (keys.count(unknown->key) != 0) elsewhere += (elsewhere.empty() ? "" : " or ") + section;
      }
    }
    text += elsewhere.empty() ? did_you_mean(unknown->key, candidates) : "; it belongs to " + elsewhere;
    problems_.add(unknown->place, table_->path, std::move(text));
  }
}

std::vector<const Setting*> TableReader::rest() const {
  std::vector<const Setting*> unread;
  if (table_ == nullptr) return unread;
  for (const Setting& child : table_->children) {
    if (asked_.count(child.key) == 0) unread.push_back(&child);
  }
  return unread;
}

void TableReader::refuse(const Setting& at, const std::string& expected) {
  problems_.add(at, "expected " + expected + ", got " + describe_value(at));
}

void TableReader::refuse_missing(std::string_view key, const std::string& expected) {
  if (table_ == nullptr) return;
  problems_.add(table_->place, table_->path, "expected " + expected + ", got no " + std::string(key));
}

}  // namespace sluice::config
