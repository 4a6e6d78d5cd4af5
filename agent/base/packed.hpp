// SPDX-License-Identifier: Apache-2.0
// The bytes that a delivery is stored as. Pure functions, for every thread.
//
// Format 1, numbers little-endian, `v` an unsigned LEB128 number, `s` a v length and that many bytes:
//   u8 version (1) | u8 flags | u8 qos+format+priority | s topic | s input | i64 wall_ns | i64 monotonic_ns |
//   u64 boot | [v route expiry s] | [v message expiry s] | [v batch count | v batch bytes | v batch age s] |
//   [properties] | body
// where flags say which of the parts in brackets are there, and the body is either the payload, to the end,
// or samples, to the end: s name | u8 type and quality | value | [s error]. A priority of 3 stands for what is kept by
// topic, only the newest of each.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "base/message.hpp"

namespace sluice {

/// The bytes are not what pack() writes, or are of a later version; what() says where.
class UnpackError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Appends the bytes of `delivery` to `out`.
void pack(const Delivery& delivery, std::string& out);

/// The delivery that was packed: topic() is the final one, which stands in the message.
/// Throws UnpackError, and never reads past `bytes`.
Delivery unpack(std::string_view bytes);

}  // namespace sluice
