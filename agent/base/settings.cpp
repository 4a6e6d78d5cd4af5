// SPDX-License-Identifier: Apache-2.0
#include "base/settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace sluice {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array durations = {Unit{"ns", 1},   Unit{"us", 1e3},   Unit{"ms", 1e6},   Unit{"s", 1e9},
                                  Unit{"m", 60e9}, Unit{"h", 3600e9}, Unit{"d", 86400e9}};
constexpr std::array sizes = {Unit{"B", 1},
                              Unit{"kB", 1e3},
                              Unit{"KiB", 1024},
                              Unit{"MB", 1e6},
                              Unit{"MiB", 1024.0 * 1024},
                              Unit{"GB", 1e9},
                              Unit{"GiB", 1024.0 * 1024 * 1024}};

// A number and one of `units`, as a product that a signed 64-bit number holds; negative: it is not that.
template <std::size_t n>
std::int64_t parse_quantity(std::string_view text, const std::array<Unit, n>& units) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || std::signbit(number)) return -1;
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == units.end()) return -1;
  const double product = std::round(number * unit->factor);
  return product < 9.2e18 ? static_cast<std::int64_t>(product) : -1;
}

// Letters that changed places ("badu") count once, as what they are: one slip.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string to_string(const Place& place) {
  return place.line == 0 ? place.file : place.file + ":" + std::to_string(place.line);
}

std::string_view describe(SettingKind kind) {
  switch (kind) {
    case SettingKind::boolean:
      return "true or false";
    case SettingKind::integer:
      return "an integer";
    case SettingKind::number:
      return "a number";
    case SettingKind::string:
      return "a string";
    case SettingKind::duration:
      return "a duration such as \"500ms\"";
    case SettingKind::size:
      return "a size such as \"64MiB\"";
    case SettingKind::table:
      return "a table";
    case SettingKind::list:
      return "a list";
  }
  return "";
}

const Setting* Setting::find(std::string_view child) const {
  const auto found =
      std::find_if(children.begin(), children.end(), [&](const Setting& s) { return s.key == child; });
  return found == children.end() ? nullptr : &*found;
}

std::string to_string(const Problem& problem) {
  std::string text = to_string(problem.place);
  for (const std::string* part : {&problem.path, &problem.text}) {
    if (part->empty()) continue;
    if (!text.empty()) text += ": ";
    text += *part;
  }
  return text;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

bool parse_duration(std::string_view text, std::int64_t& nanoseconds) {
  const std::int64_t parsed = parse_quantity(text, durations);
  if (parsed < 0) return false;
  nanoseconds = parsed;
  return true;
}

bool parse_size(std::string_view text, std::uint64_t& bytes) {
  const std::int64_t parsed = parse_quantity(text, sizes);
  if (parsed < 0) return false;
  bytes = static_cast<std::uint64_t>(parsed);
  return true;
}

}  // namespace sluice
