// SPDX-License-Identifier: Apache-2.0
#include "plugin/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace sluice::plugin {
namespace {

bool continues(unsigned char byte) {
  return (byte & 0xC0U) == 0x80U;
}

bool is_ascii(const char* at, std::size_t size) {
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= size; i += sizeof(std::uint64_t)) {
    std::uint64_t chunk = 0;
    std::memcpy(&chunk, at + i, sizeof chunk);
    if ((chunk & 0x8080808080808080U) != 0) return false;
  }
  for (; i < size; ++i) {
    if ((static_cast<unsigned char>(at[i]) & 0x80U) != 0) return false;
  }
  return true;
}

// The length of the sequence that starts at `at`, of which `left` bytes are there; 0: malformed.
std::size_t sequence(const unsigned char* at, std::size_t left) {
  const unsigned char lead = at[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (left < 2 || !continues(at[1])) return 0;
  if (lead < 0xE0) return 2;
  if (left < 3 || !continues(at[2])) return 0;
  if (lead < 0xF0) {
    const bool overlong = lead == 0xE0 && at[1] < 0xA0;
    const bool surrogate = lead == 0xED && at[1] >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead > 0xF4 || left < 4 || !continues(at[3])) return 0;
  const bool overlong = lead == 0xF0 && at[1] < 0x90;
  const bool too_high = lead == 0xF4 && at[1] >= 0x90;
  return overlong || too_high ? 0 : 4;
}

}  // namespace

bool is_utf8(std::string_view text) {
  if (is_ascii(text.data(), text.size())) return true;
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t left = text.size(); left > 0;) {
    const std::size_t length = sequence(at, left);
    if (length == 0) return false;
    at += length;
    left -= length;
  }
  return true;
}

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
