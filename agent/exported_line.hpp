// SPDX-License-Identifier: Apache-2.0
// What makes a line of `buffer export` one that `buffer import` takes: beside the fields for people it carries the
// stored message itself,
//   "packed":{"version":1,"base64":"…"}
// where the base64 is that of pack(), and the version that of the line. Only that is imported; the fields for people
// are compared with it, so that nobody edits them in vain. Pure functions, for every thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/message.hpp"

namespace sluice {

/// What is wrong with a line, and what was expected.
class BadLine : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The value of "packed".
nlohmann::ordered_json packed_value(const Delivery& delivery);

/// The base64 of a line that can be imported. Throws BadLine.
std::string read_exported_line(std::string_view line);

/// The message in such a base64. Throws BadLine.
Delivery read_packed(std::string_view base64);

}  // namespace sluice
