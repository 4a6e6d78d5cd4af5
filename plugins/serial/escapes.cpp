// SPDX-License-Identifier: Apache-2.0
#include "escapes.hpp"

#include <charconv>
#include <stdexcept>

namespace serial {

std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      bytes += text[at];
      continue;
    }
    const char kind = ++at < text.size() ? text[at] : ' ';
    switch (kind) {
      case 'n':
        bytes += '\n';
        break;
      case 'r':
        bytes += '\r';
        break;
      case 't':
        bytes += '\t';
        break;
      case '0':
        bytes += '\0';
        break;
      case '\\':
        bytes += '\\';
        break;
      case 'x': {
        unsigned char byte = 0;
        const std::string_view digits = text.substr(at + 1, 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        if (digits.size() != 2 || error != std::errc() || end != digits.data() + digits.size()) {
          throw std::invalid_argument("expected two hexadecimal digits after \\x");
        }
        bytes += static_cast<char>(byte);
        at += 2;
        break;
      }
      default:
        throw std::invalid_argument("expected \\n, \\r, \\t, \\0, \\\\ or \\xHH after a backslash");
    }
  }
  return bytes;
}

std::string escape(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\t') {
      text += "\\t";
    } else if (c == '\\') {
      text += "\\\\";
    } else if (byte < 0x20 || byte >= 0x7F) {
      text.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace serial
