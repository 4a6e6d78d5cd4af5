// SPDX-License-Identifier: Apache-2.0
#include "pdu.hpp"

#include <algorithm>

namespace sluice::modbus {
namespace {

void put(Pdu& to, std::uint16_t word) {
  to.push_back(static_cast<std::uint8_t>(word >> 8));
  to.push_back(static_cast<std::uint8_t>(word & 255));
}

std::uint16_t word_at(const Pdu& from, std::size_t index) {
  return static_cast<std::uint16_t>(from[index] << 8 | from[index + 1]);
}

}  // namespace

Pdu read_pdu(Kind kind, std::uint16_t address, std::uint16_t count) {
  Pdu pdu{static_cast<std::uint8_t>(kind)};
  put(pdu, address);
  put(pdu, count);
  return pdu;
}

Pdu write_pdu(Kind kind, std::uint16_t address, const std::vector<std::uint16_t>& words, bool multiple) {
  const bool coil = kind == Kind::coil;
  const bool single = words.size() == 1 && !multiple;
  Pdu pdu{static_cast<std::uint8_t>(coil ? (single ? 5 : 15) : (single ? 6 : 16))};
  put(pdu, address);
  if (single) {
    put(pdu, coil ? static_cast<std::uint16_t>(words[0] != 0 ? 0xFF00 : 0) : words[0]);
    return pdu;
  }
  put(pdu, static_cast<std::uint16_t>(words.size()));
  if (!coil) {
    pdu.push_back(static_cast<std::uint8_t>(words.size() * 2));
    for (const std::uint16_t word : words) put(pdu, word);
    return pdu;
  }
  const std::size_t bytes = (words.size() + 7) / 8;
  pdu.push_back(static_cast<std::uint8_t>(bytes));
  const std::size_t first = pdu.size();
  pdu.resize(first + bytes);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] != 0) pdu[first + i / 8] = static_cast<std::uint8_t>(pdu[first + i / 8] | 1u << (i % 8));
  }
  return pdu;
}

std::uint8_t exception_of(const Pdu& reply) {
  return reply.size() == 2 && (reply[0] & 0x80) != 0 ? reply[1] : std::uint8_t{0};
}

std::string exception_text(std::uint8_t code) {
  static constexpr const char* names[] = {"",
                                          "illegal function",
                                          "illegal data address",
                                          "illegal data value",
                                          "device failure",
                                          "acknowledged, still busy",
                                          "device busy",
                                          "negative acknowledgement",
                                          "memory parity error",
                                          "",
                                          "gateway path unavailable",
                                          "gateway: the unit does not answer"};
  std::string text = code < sizeof(names) / sizeof(names[0]) ? names[code] : "";
  if (text.empty()) text = "unknown reason";
  return text + " (exception " + std::to_string(code) + ")";
}

std::string mismatch(const Pdu& request, const Pdu& reply) {
  if (reply.empty()) return "an empty reply";
  if ((reply[0] & 0x7F) != request[0]) return "a reply to function " + std::to_string(reply[0] & 0x7F);
  if ((reply[0] & 0x80) != 0)
    return reply.size() == 2 && reply[1] != 0 ? "" : "an exception reply of a wrong length";
  if (request[0] > 4) {  // writes answer with address and value, or address and count
    const bool echoes = reply.size() == 5 && std::equal(reply.begin(), reply.end(), request.begin());
    return echoes ? "" : "a reply that does not repeat the request";
  }
  const std::size_t count = word_at(request, 3);
  const std::size_t bytes = request[0] <= 2 ? (count + 7) / 8 : count * 2;
  if (reply.size() != 2 + bytes || reply[1] != bytes) {
    return "a reply of " + std::to_string(reply.size() - 1) + " bytes instead of " +
           std::to_string(1 + bytes);
  }
  return "";
}

std::vector<std::uint16_t> words_of(const Pdu& request, const Pdu& reply) {
  const std::size_t count = word_at(request, 3);
  std::vector<std::uint16_t> words(count);
  for (std::size_t i = 0; i < count; ++i) {
    words[i] = request[0] <= 2 ? static_cast<std::uint16_t>(reply[2 + i / 8] >> (i % 8) & 1)
                               : word_at(reply, 2 + 2 * i);
  }
  return words;
}

std::string hex(const std::uint8_t* bytes, std::size_t count) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string text;
  text.reserve(count * 3);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

}  // namespace sluice::modbus
