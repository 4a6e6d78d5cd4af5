// SPDX-License-Identifier: Apache-2.0
#include "plugin/text.hpp"

#include <cstddef>

#include "base/utf8.hpp"


namespace sluice::plugin {
namespace {

constexpr std::size_t max_line_bytes = 4096;

}  // namespace

std::string tidy(std::string_view text) {
  std::string line(text.substr(0, max_line_bytes));
  const bool clean = is_utf8(line);
  for (char& c : line) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7F) c = ' ';
    if (!clean && code >= 0x80) c = '?';
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace sluice::plugin
