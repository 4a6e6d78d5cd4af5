// SPDX-License-Identifier: Apache-2.0
#include "tag.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace sluice::modbus {
namespace {

constexpr std::array<std::pair<const char*, Kind>, 4> kinds{
    {{"coil", Kind::coil}, {"discrete", Kind::discrete}, {"holding", Kind::holding}, {"input", Kind::input}}};

constexpr std::array<std::pair<const char*, Type>, 18> types{{{"bool", Type::boolean},
                                                              {"int8-high", Type::int8_high},
                                                              {"int8-low", Type::int8_low},
                                                              {"uint8-high", Type::uint8_high},
                                                              {"uint8-low", Type::uint8_low},
                                                              {"int16", Type::int16},
                                                              {"uint16", Type::uint16},
                                                              {"int32", Type::int32},
                                                              {"uint32", Type::uint32},
                                                              {"int64", Type::int64},
                                                              {"uint64", Type::uint64},
                                                              {"float16", Type::float16},
                                                              {"float32", Type::float32},
                                                              {"float64", Type::float64},
                                                              {"bcd16", Type::bcd16},
                                                              {"bcd32", Type::bcd32},
                                                              {"string", Type::string},
                                                              {"bytes", Type::bytes}}};

constexpr std::array<std::pair<const char*, ByteOrder>, 4> orders{{{"ABCD", ByteOrder::abcd},
                                                                   {"BADC", ByteOrder::badc},
                                                                   {"CDAB", ByteOrder::cdab},
                                                                   {"DCBA", ByteOrder::dcba}}};

template <class Table>
auto find(const Table& table, std::string_view word) -> std::optional<decltype(table[0].second)> {
  for (const auto& [name, value] : table) {
    if (word == name) return value;
  }
  return std::nullopt;
}

template <class Table, class T>
const char* name_in(const Table& table, T wanted) {
  for (const auto& [name, value] : table) {
    if (value == wanted) return name;
  }
  return "?";
}

}  // namespace

std::uint16_t Tag::width() const {
  if (in_bits()) return 1;
  switch (type) {
    case Type::int32:
    case Type::uint32:
    case Type::float32:
    case Type::bcd32:
      return 2;
    case Type::int64:
    case Type::uint64:
    case Type::float64:
      return 4;
    case Type::string:
    case Type::bytes:
      return static_cast<std::uint16_t>((length + 1) / 2);
    default:
      return 1;
  }
}

std::optional<Kind> parse_kind(std::string_view word) {
  return find(kinds, word);
}
std::optional<Type> parse_type(std::string_view word) {
  return find(types, word);
}
std::optional<ByteOrder> parse_order(std::string_view word) {
  return find(orders, word);
}
const char* name_of(Kind kind) {
  return name_in(kinds, kind);
}
const char* name_of(Type type) {
  return name_in(types, type);
}

std::optional<Reference> parse_reference(std::string_view text) {
  if (text.size() != 5 && text.size() != 6) return std::nullopt;
  Kind kind{};
  switch (text[0]) {
    case '0':
      kind = Kind::coil;
      break;
    case '1':
      kind = Kind::discrete;
      break;
    case '3':
      kind = Kind::input;
      break;
    case '4':
      kind = Kind::holding;
      break;
    default:
      return std::nullopt;
  }
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number < 1 || number > 65536) return std::nullopt;
  return Reference{kind, static_cast<std::uint16_t>(number - 1)};
}

}  // namespace sluice::modbus
