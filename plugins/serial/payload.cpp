// SPDX-License-Identifier: Apache-2.0
#include "payload.hpp"

#include <sluice/host.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

namespace serial {

namespace {

using nlohmann::json;

constexpr int max_depth = 16;

// The agent keeps these names for itself; a device may use them all the same.
bool reserved(std::string_view name) {
  constexpr std::string_view kept[] = {"ts", "quality", "error", "encoding", "id", "replayed", "time"};
  return std::find(std::begin(kept), std::end(kept), name) != std::end(kept);
}

class Fields {
 public:
  explicit Fields(sluice::Message& message) : message_(message) {}

  void add(const std::string& name, const json& value, int depth) {
    if (value.is_structured()) {
      if (depth == max_depth) throw std::invalid_argument("JSON nested more than 16 deep");
      for (const auto& [key, member] : value.items()) add(name + '.' + key, member, depth + 1);
      return;
    }
    const std::string unique = reserved(name) ? name + '_' : name;
    if (unique.empty()) throw std::invalid_argument("a JSON field without a name");
    if (!names_.insert(unique).second) throw std::invalid_argument("two JSON fields named " + unique);
    switch (value.type()) {
      case json::value_t::boolean:
        message_.sample(unique, value.get<bool>());
        break;
      case json::value_t::number_integer:
        message_.sample(unique, value.get<std::int64_t>());
        break;
      case json::value_t::number_unsigned:
        add_unsigned(unique, value.get<std::uint64_t>());
        break;
      case json::value_t::number_float:
        message_.sample(unique, value.get<double>());
        break;
      case json::value_t::string:
        message_.sample(unique, value.get_ref<const std::string&>());
        break;
      default:
        message_.bad(unique, "null");
    }
  }

  bool empty() const { return names_.empty(); }

 private:
  // So that a field does not change its type with the sign of its value.
  void add_unsigned(const std::string& name, std::uint64_t value) {
    if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
      message_.sample(name, static_cast<std::int64_t>(value));
    } else {
      message_.sample(name, value);
    }
  }

  sluice::Message& message_;
  std::set<std::string> names_;
};

void decode_json(std::string_view frame, sluice::Message& message) {
  const json document = json::parse(frame, nullptr, false);
  if (document.is_discarded()) throw std::invalid_argument("no JSON");
  if (!document.is_object()) throw std::invalid_argument("JSON, but no object");
  Fields fields(message);
  for (const auto& [key, value] : document.items()) fields.add(key, value, 1);
  if (fields.empty()) throw std::invalid_argument("a JSON object without a value");
}

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  static constexpr std::string_view space = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

template <class Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

struct TextOf {
  std::string operator()(std::monostate) const {
    throw sluice::Refused("a sample without a value cannot be written");
  }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const sluice::Bytes& value) const { return std::string(sluice::view(value)); }
  template <class Number>
  std::string operator()(Number value) const {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return std::string(text.data(), end);
  }
};

}  // namespace

sluice::Value number_or_text(std::string_view text) {
  std::string_view digits = trimmed(text);
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  // from_chars would take "inf" and "nan" too.
  if (!digits.empty() && digits.find_first_not_of("0123456789+-.eE") == std::string_view::npos) {
    std::int64_t whole = 0;
    if (parse(digits, whole)) return sluice::Value(whole);
    std::uint64_t large = 0;
    if (parse(digits, large)) return sluice::Value(large);
    double real = 0;
    if (parse(digits, real) && std::isfinite(real)) return sluice::Value(real);
  }
  return sluice::Value(std::string(text));
}

void decode(std::string_view frame, Payload payload, bool number, sluice::Message& message) {
  switch (payload) {
    case Payload::text:
      if (number) {
        message.sample("value", number_or_text(frame));
      } else {
        message.sample("value", frame);
      }
      break;
    case Payload::hex:
      message.sample("value", hex(frame));
      break;
    case Payload::bytes:
      message.sample("value", sluice::Bytes(frame.begin(), frame.end()));
      break;
    case Payload::json:
      decode_json(frame, message);
      break;
  }
}

std::string encode(const sluice::ReceivedMessage& message) {
  if (message.has_payload()) return std::string(message.payload());
  const auto samples = message.samples();
  const std::optional<sluice::SampleView> named = message.sample("value");
  if (samples.size() == 1) return std::visit(TextOf{}, samples[0].value());
  if (named) return std::visit(TextOf{}, named->value());
  throw sluice::Refused("expected a payload, one sample, or a sample named value");
}

}  // namespace serial
