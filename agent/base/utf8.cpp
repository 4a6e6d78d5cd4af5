// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.hpp"

#include <cstring>

namespace sluice {
namespace {

// Nearly all text is: eight bytes at a time.
std::size_t leading_ascii(std::string_view text) {
  std::size_t i = 0;
  for (std::uint64_t chunk = 0; i + sizeof chunk <= text.size(); i += sizeof chunk) {
    std::memcpy(&chunk, text.data() + i, sizeof chunk);
    if ((chunk & 0x8080808080808080U) != 0) break;
  }
  return i;
}

}  // namespace

bool is_utf8(std::string_view text) {
  text.remove_prefix(leading_ascii(text));
  while (!text.empty()) {
    const std::size_t bytes = first_character(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace sluice
