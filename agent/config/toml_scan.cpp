// SPDX-License-Identifier: Apache-2.0
#include "config/toml_scan.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "config/toml_text.hpp"

namespace sluice::config {
namespace {

class Scan {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  std::optional<TextFault> run() {
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t bytes = first_character(text_.substr(at)).bytes;
      if (bytes == 0) return fault(at, "this byte is not UTF-8: save the file as UTF-8");
      at += bytes;
    }
    if (const std::size_t zero = text_.find('\0'); zero != std::string_view::npos) {
      return fault(zero, "a zero byte: this is no text file");
    }
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text_.substr(0, byte_order_mark.size()) == byte_order_mark) at_ = byte_order_mark.size();
    while (at_ < text_.size()) {
      if (static_cast<unsigned char>(text_[at_]) >= 0x80) {
        return fault(at_,
                     "a character that is not ASCII stands outside of quotes: quote the text or the key");
      }
      if (text_[at_] == '[' && starts_line() && !is_header()) {
        return fault(at_, "expected [name] or [[name]], or key = [...] for a list");
      }
      if (!step()) {
        return fault(
            at_, "expected at most " + std::to_string(max_depth) + " tables and lists inside one another");
      }
    }
    return std::nullopt;
  }

 private:
  // Is at_ the first character of its line, outside of a list that spans several?
  bool starts_line() const {
    const std::size_t before = text_.substr(0, at_).find_last_not_of(" \t");
    return brackets_ == 0 && (before == std::string_view::npos || text_[before] == '\n');
  }

  // The parser does not expect anything but a key in a header. One that has none, it refuses itself.
  bool is_header() const {
    const bool list = text_.substr(at_, 2) == "[[";
    const std::size_t first = std::min(text_.find_first_not_of(" \t", at_ + (list ? 2 : 1)), text_.size());
    if (first == text_.size()) return true;
    const char c = text_[first];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_\"']").find(c) != std::string_view::npos;
  }

  // One lexical element outside of strings. False: too deep.
  bool step() {
    switch (const char c = text_[at_]) {
      case '#':
        at_ = std::min(text_.find('\n', at_), text_.size());
        return true;
      case '"':
      case '\'':
        skip_string(c);
        return true;
      case '.':
        ++at_;
        return ++dots_ < max_depth;
      case '[':
      case '{':
        ++at_;
        dots_ = 0;
        return ++brackets_ <= max_depth;
      case ']':
      case '}':
        brackets_ -= brackets_ > 0 ? 1 : 0;
        break;
      case '\n':
      case '=':
      case ',':
        break;
      default:
        ++at_;
        return true;
    }
    dots_ = 0;
    ++at_;
    return true;
  }

  // Past the string at at_; one that is not closed ends with its line, or with the text.
  void skip_string(char quote_mark) {
    const std::string triple(3, quote_mark);
    const bool multi_line = text_.substr(at_, 3) == triple;
    const bool escapes = quote_mark == '"';
    at_ += multi_line ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (escapes && c == '\\') {
        at_ = std::min(at_ + 2, text_.size());
      } else if (multi_line && text_.substr(at_, 3) == triple) {
        at_ += 3;
        // Up to two quotes may stand right before the closing three.
        for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote_mark; ++more) ++at_;
        return;
      } else if (!multi_line && (c == quote_mark || c == '\n')) {
        at_ += c == quote_mark ? 1 : 0;
        return;
      } else {
        ++at_;
      }
    }
  }

  TextFault fault(std::size_t at, std::string words) const {
    const std::string_view before = text_.substr(0, at);
    const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return {static_cast<std::uint32_t>(1 + std::count(before.begin(), before.end(), '\n')),
            static_cast<std::uint32_t>(1 + at - line_start), std::move(words)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t dots_ = 0;      // of the key that is being read
  std::size_t brackets_ = 0;  // that are open
};

}  // namespace

std::optional<TextFault> scan_toml(std::string_view text) {
  return Scan(text).run();
}

}  // namespace sluice::config
