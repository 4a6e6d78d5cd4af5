// SPDX-License-Identifier: Apache-2.0
// A stored message: what damage on disk may turn it into.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/packed.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const sluice::Delivery read = sluice::unpack({reinterpret_cast<const char*>(data), size});
    // Compared as bytes: a NaN is not equal to itself.
    std::string once;
    sluice::pack(read, once);
    std::string twice;
    sluice::pack(sluice::unpack(once), twice);
    if (once != twice) std::abort();
    if (sluice::footprint(read) == 0) std::abort();
  } catch (const sluice::UnpackError&) {
  }
  return 0;
}
