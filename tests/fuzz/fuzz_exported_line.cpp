// SPDX-License-Identifier: Apache-2.0
// A line that is imported: whatever somebody has made of an export.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/packed.hpp"
#include "base/utf8.hpp"
#include "exported_line.hpp"
#include "route/topic.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string base64 = sluice::read_exported_line({reinterpret_cast<const char*>(data), size});
    const sluice::Delivery read = sluice::read_packed(base64);
    if (!sluice::route::valid_topic(read.topic())) std::abort();
    std::string packed;
    sluice::pack(read, packed);
    if (packed.empty()) std::abort();
  } catch (const sluice::BadLine& error) {
    const std::string_view text = error.what();
    if (text.empty() || text.find('\n') != std::string_view::npos || !sluice::is_utf8(text)) std::abort();
  }
  return 0;
}
