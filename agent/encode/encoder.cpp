// SPDX-License-Identifier: Apache-2.0
#include "encode/encoder.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include "base/base64.hpp"
#include "base/utf8.hpp"

namespace sluice::encode {
namespace {

constexpr char hex[] = "0123456789abcdef";

// ---- Text ----

// A byte that is no character of a JSON string as it is.
constexpr std::array<bool, 128> make_special() {
  std::array<bool, 128> special{};
  for (std::size_t i = 0; i < 0x20; ++i) special[i] = true;
  special['"'] = special['\\'] = special[0x7F] = true;
  return special;
}
constexpr auto special_character = make_special();

void put_special(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default: {
      const auto code = static_cast<unsigned char>(c);
      out += "\\u00";
      out += hex[code >> 4U];
      out += hex[code & 0xFU];
    }
  }
}

// `text` is escaped, so that it is UTF-8: see the header.
void put_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = first_character(text).bytes;
    const auto code = static_cast<unsigned char>(text[0]);
    if (bytes == 0) {
      out += "\\\\x";
      out += hex[code >> 4U];
      out += hex[code & 0xFU];
    } else if (text[0] == '\\') {
      out += "\\\\\\\\";
    } else if (code < 0x80 && special_character[code]) {
      put_special(out, text[0]);
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
}

// Runs of characters that need nothing are appended as a whole.
void put_utf8(std::string& out, std::string_view text) {
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto code = static_cast<unsigned char>(text[i]);
    if (code >= 0x80 || !special_character[code]) continue;
    out += text.substr(from, i - from);
    put_special(out, text[i]);
    from = i + 1;
  }
  out += text.substr(from);
}

void put_text(std::string& out, std::string_view text) {
  out += '"';
  is_utf8(text) ? put_utf8(out, text) : put_escaped(out, text);
  out += '"';
}

// ---- Numbers and times ----

template <typename Number>
void put_number(std::string& out, Number number) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void put_digits(std::string& out, std::uint64_t number, std::size_t width) {
  std::array<char, 20> digits;
  for (std::size_t i = width; i > 0; --i, number /= 10) digits[i - 1] = static_cast<char>('0' + number % 10);
  out.append(digits.data(), width);
}

void put_time(std::string& out, std::int64_t wall_ns) {
  using namespace std::chrono;
  // By hand: floor<days> overflows within a day of the earliest time that nanoseconds can hold.
  auto day_count = wall_ns / nanoseconds(days(1)).count();
  auto in_day = wall_ns % nanoseconds(days(1)).count();
  if (in_day < 0) {
    --day_count;
    in_day += nanoseconds(days(1)).count();
  }
  const year_month_day date{sys_days(days(day_count))};
  const hh_mm_ss clock{nanoseconds(in_day)};
  put_digits(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  out += '-';
  put_digits(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  put_digits(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  put_digits(out, static_cast<std::uint64_t>(clock.hours().count()), 2);
  out += ':';
  put_digits(out, static_cast<std::uint64_t>(clock.minutes().count()), 2);
  out += ':';
  put_digits(out, static_cast<std::uint64_t>(clock.seconds().count()), 2);
  out += '.';
  put_digits(out, static_cast<std::uint64_t>(clock.subseconds().count()), 9);
  out += 'Z';
}

// ---- Samples ----

void put_value(std::string& out, const Value& value) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          out += "null";
        } else if constexpr (std::is_same_v<T, bool>) {
          out += v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, double>) {
          std::isfinite(v) ? put_number(out, v) : void(out += "null");
        } else if constexpr (std::is_same_v<T, std::string>) {
          put_text(out, v);
        } else if constexpr (std::is_same_v<T, Bytes>) {
          out += '"';
          append_base64(out, v.data);
          out += '"';
        } else {
          put_number(out, v);
        }
      },
      value);
}

// The texts of a sample's marks; empty where there is none.

std::string_view quality_of(const Sample& sample) {
  const auto* number = std::get_if<double>(&sample.value);
  if (number != nullptr && !std::isfinite(*number)) return "bad";
  return sample.quality == Quality::good ? "" : sample.quality == Quality::stale ? "stale" : "bad";
}

std::string_view error_of(const Sample& sample) {
  return sample.quality == Quality::good ? std::string_view() : sample.error;
}

std::string_view encoding_of(const Sample& sample) {
  const auto* text = std::get_if<std::string>(&sample.value);
  return text == nullptr || is_utf8(*text) ? "" : "escaped";
}

void put_member(std::string& out, std::string_view key, std::string_view text) {
  out += ",\"";
  out += key;
  out += "\":";
  put_text(out, text);
}

template <typename MarkOf>
void put_marks(std::string& out, std::string_view key, const std::vector<Sample>& samples, MarkOf mark_of) {
  if (samples.size() == 1) {
    const std::string_view mark = mark_of(samples.front());
    if (!mark.empty()) put_member(out, key, mark);
    return;
  }
  bool any = false;
  for (const Sample& sample : samples) {
    const std::string_view mark = mark_of(sample);
    if (mark.empty()) continue;
    if (any) {
      out += ',';
    } else {
      out += ",\"";
      out += key;
      out += "\":{";
    }
    any = true;
    put_text(out, sample.name);
    out += ':';
    put_text(out, mark);
  }
  if (any) out += '}';
}

void put_json(std::string& out, const Message& message, const EncodeOptions& options) {
  constexpr std::size_t head_bytes = 64;
  constexpr std::size_t sample_bytes = 48;
  out.reserve(head_bytes + message.samples.size() * sample_bytes);
  out += "{\"ts\":\"";
  put_time(out, message.time.wall_ns);
  out += '"';
  for (const Sample& sample : message.samples) {
    out += ',';
    if (message.samples.size() == 1) {
      out += "\"value\"";
    } else {
      put_text(out, sample.name);
    }
    out += ':';
    put_value(out, sample.value);
  }
  put_marks(out, "quality", message.samples, quality_of);
  put_marks(out, "error", message.samples, error_of);
  put_marks(out, "encoding", message.samples, encoding_of);
  if (options.id_in_payload && !options.id.empty()) put_member(out, "id", options.id);
  if (options.replayed) out += ",\"replayed\":true";
  if (message.time.mark == TimeMark::corrected) put_member(out, "time", "corrected");
  if (message.time.mark == TimeMark::unsynchronised) put_member(out, "time", "unsynchronised");
  out += '}';
}

bool is_raw(const Delivery& delivery) {
  return delivery.options.format == Format::raw && delivery.message->samples.size() == 1;
}

std::string to_raw(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* bytes = std::get_if<Bytes>(&value)) return bytes->data;
  std::string out;
  if (const auto* number = std::get_if<double>(&value)) {
    put_number(out, *number);
  } else if (!std::holds_alternative<std::monostate>(value)) {
    put_value(out, value);
  }
  return out;
}

}  // namespace

void encode(const Delivery& delivery, const EncodeOptions& options, std::string& out) {
  const Message& message = *delivery.message;
  out.clear();
  if (message.payload) {
    out = *message.payload;
  } else if (is_raw(delivery)) {
    out = to_raw(message.samples.front().value);
  } else {
    put_json(out, message, options);
  }
}

std::string encode(const Delivery& delivery, const EncodeOptions& options) {
  std::string out;
  encode(delivery, options, out);
  return out;
}

std::string_view content_type(const Delivery& delivery) {
  const Message& message = *delivery.message;
  if (message.payload) return message.content_type;
  if (!is_raw(delivery)) return "application/json";
  if (!message.content_type.empty()) return message.content_type;
  const Value& value = message.samples.front().value;
  const auto* text = std::get_if<std::string>(&value);
  const bool binary = std::holds_alternative<Bytes>(value) || (text != nullptr && !is_utf8(*text));
  return binary ? "application/octet-stream" : "text/plain";
}

std::string rfc3339(std::int64_t wall_ns) {
  std::string out;
  put_time(out, wall_ns);
  return out;
}

}  // namespace sluice::encode
