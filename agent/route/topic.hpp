// SPDX-License-Identifier: Apache-2.0
// Topic names and topic filters as MQTT 5 section 4.7 has them. Pure functions, for every thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::route {

/// Of a name or a filter: what the length field of the protocol holds.
inline constexpr std::size_t max_topic_bytes = 65535;

/// Walks through the levels of a name or a filter, without allocating: "/a" has two, the first of them empty.
class Levels {
 public:
  explicit Levels(std::string_view text) : rest_(text) {}

  /// False: there are no more, and `level` stays as it was.
  bool next(std::string_view& level) {
    if (done_) return false;
    const std::size_t slash = rest_.find('/');
    done_ = slash == std::string_view::npos;
    level = rest_.substr(0, slash);
    if (!done_) rest_.remove_prefix(slash + 1);
    return true;
  }
  /// What next() has not answered yet: empty at the end, and where one empty level is left.
  std::string_view rest() const { return done_ ? std::string_view() : rest_; }

 private:
  std::string_view rest_;
  bool done_ = false;
};

/// May a message be published under this name? 1 to 65535 bytes of UTF-8 without wildcards and without NUL; empty
/// levels are allowed. Control characters and noncharacters are refused too: the protocol lets a receiver
/// disconnect because of them (section 1.5.4), and common brokers do. `why`, where given, says what is wrong.
bool valid_topic(std::string_view topic, std::string* why = nullptr);

/// Likewise for a filter: '+' and '#' stand alone in their level, '#' in the last one. A shared subscription,
/// $share/GROUP/FILTER, is valid where its group and its filter are.
bool valid_filter(std::string_view filter, std::string* why = nullptr);

/// FILTER of $share/GROUP/FILTER; any other filter as it is.
std::string_view without_share(std::string_view filter);

/// Does a valid filter match a valid name? Wildcards in the first level do not match names that begin with '$';
/// "a/#" matches "a". A shared subscription matches what its filter matches.
bool matches(std::string_view filter, std::string_view topic);

}  // namespace sluice::route
