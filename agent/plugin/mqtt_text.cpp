// SPDX-License-Identifier: Apache-2.0
#include "plugin/mqtt_text.hpp"

#include <cstring>

#include "base/utf8.hpp"

namespace sluice::plugin {

const char* topic_fault(std::string_view text) {
  if (text.empty()) return "is empty";
  for (const char c : text) {
    if (c == '+' || c == '#') return "has a wildcard";
  }
  return text_fault(text);
}

const char* text_fault(std::string_view text) {
  if (text.empty()) return nullptr;
  if (text.size() > max_text_bytes) return "is longer than 65535 bytes";
  if (std::memchr(text.data(), '\0', text.size()) != nullptr) return "has a NUL character";
  return is_utf8(text) ? nullptr : "is not UTF-8";
}

}  // namespace sluice::plugin
