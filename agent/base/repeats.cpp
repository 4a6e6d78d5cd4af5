// SPDX-License-Identifier: Apache-2.0
#include "base/repeats.hpp"

#include <utility>

namespace sluice {
namespace {

std::string kind_of(int level, std::string_view part, std::string_view format) {
  std::string kind = std::to_string(level) + ' ' + std::string(part) + ' ';
  for (const char c : format) {
    if (c < '0' || c > '9') kind += c;
  }
  return kind;
}

}  // namespace

bool Repeats::pass(int level, std::string_view part, std::string_view format, std::string_view text,
                   TimePoint now) {
  if (limit_.most == 0) return true;
  std::string kind = kind_of(level, part, format);
  auto found = windows_.find(kind);
  if (found != windows_.end() && is_over(found->second, now)) {
    if (found->second.sum.lines > 0) ended_.push_back(std::move(found->second.sum));
    windows_.erase(found);
    found = windows_.end();
  }
  if (found == windows_.end()) {
    if (windows_.size() >= most_kinds) return true;
    found = windows_.emplace(std::move(kind), Window{now, 0, {std::string(part), level, 0, {}, {}}}).first;
  }
  Window& window = found->second;
  if (++window.lines <= limit_.most) return true;
  ++suppressed_;
  ++window.sum.lines;
  window.sum.time = std::chrono::ceil<std::chrono::seconds>(now - window.begin);
  window.sum.last = text;
  return false;
}

std::vector<Repeats::Sum> Repeats::take(TimePoint now, bool all) {
  std::vector<Sum> sums = std::exchange(ended_, {});
  for (auto window = windows_.begin(); window != windows_.end();) {
    if (!all && !is_over(window->second, now)) {
      ++window;
      continue;
    }
    if (window->second.sum.lines > 0) sums.push_back(std::move(window->second.sum));
    window = windows_.erase(window);
  }
  return sums;
}

}  // namespace sluice
