// SPDX-License-Identifier: Apache-2.0
#include "config/expand.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/utf8.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// What the variable between the braces stands for, or a problem at `setting`.
std::optional<std::string> value_of(std::string_view name, const Setting& setting, const Variables& variables,
                                    Problems& problems) {
  if (!is_name(name)) {
    problems.add(setting, "expected ${NAME} with letters, digits and _, got " +
                              quote("${" + std::string(name)) + "; write $${ for ${ itself");
    return std::nullopt;
  }
  std::optional<std::string> value = variables(std::string(name));
  if (!value) {
    problems.add(setting, "the environment variable " + std::string(name) + " is not set");
  } else if (!is_utf8(*value)) {
    problems.add(setting, "the value of the environment variable " + std::string(name) + " is not UTF-8");
    value.reset();
  }
  return value;
}

std::string expand(const std::string& text, const Setting& setting, const Variables& variables,
                   Problems& problems) {
  std::string expanded;
  std::size_t at = 0;
  while (true) {
    const std::size_t start = text.find("${", at);
    if (start == std::string::npos) return expanded + text.substr(at);
    if (start > at && text[start - 1] == '$') {
      expanded.append(text, at, start - 1 - at);
      expanded += "${";
      at = start + 2;
      continue;
    }
    expanded.append(text, at, start - at);
    const std::size_t end = std::min(text.find('}', start), text.size());
    const std::string_view name = std::string_view(text).substr(start + 2, end - start - 2);
    expanded +=
        value_of(end < text.size() ? name : std::string_view(), setting, variables, problems).value_or("");
    at = std::min(end + 1, text.size());
  }
}

}  // namespace

Variables process_variables() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): see the header
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

void expand_variables(Setting& tree, const Variables& variables, Problems& problems) {
  if (auto* text = std::get_if<std::string>(&tree.value)) {
    if (text->find("${") != std::string::npos) *text = expand(*text, tree, variables, problems);
  }
  for (Setting& child : tree.children) expand_variables(child, variables, problems);
}

}  // namespace sluice::config
