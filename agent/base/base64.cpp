// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"

namespace sluice {

void append_base64(std::string& out, std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    out += digits[group >> 18U];
    out += digits[group >> 12U & 63U];
    out += i + 1 < bytes.size() ? digits[group >> 6U & 63U] : '=';
    out += i + 2 < bytes.size() ? digits[group & 63U] : '=';
  }
}

}  // namespace sluice
