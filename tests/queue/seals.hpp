// SPDX-License-Identifier: Apache-2.0
// What tests know of the seals in a mirror (segment_records.hpp).
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <stdexcept>

#include "queue/lane.hpp"
#include "queue/mirror.hpp"

namespace sluice::queue {

inline std::int64_t changed_ns(const std::filesystem::path& file) {
  constexpr std::int64_t a_second = 1'000'000'000;
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) throw std::runtime_error("stat");
  return status.st_ctim.tv_sec * a_second + status.st_ctim.tv_nsec;
}

inline constexpr Mirror::Key first_seal = Mirror::Key{1} << 63U;

inline std::size_t seals_in(const std::filesystem::path& mirror_file) {
  Mirror mirror(mirror_file);
  mirror.load();
  return mirror.keys(first_seal, std::numeric_limits<Mirror::Key>::max()).size();
}

/// As if the time of a change had been lost, as a power cut does: the seals of a lane say of each file in `folder` the time
/// that it has. How many there are.
inline std::size_t make_seals_fit(const std::filesystem::path& mirror_file, Lane lane,
                                  const std::filesystem::path& folder) {
  constexpr std::size_t changed_at = 2;
  const Mirror::Key first = first_seal | ((base_of(lane) >> 60U) + 1) << 48U;
  constexpr Mirror::Key numbers = (Mirror::Key{1} << 48U) - 1;
  Mirror mirror(mirror_file);
  mirror.load();
  std::size_t made = 0;
  for (const Mirror::Key key : mirror.keys(first, first + numbers)) {
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "%08llu.sqlite", static_cast<unsigned long long>(key & numbers));
    if (!std::filesystem::exists(folder / name.data())) continue;
    Mirror::Numbers seal = *mirror.find(key);
    seal[changed_at] = static_cast<std::uint64_t>(changed_ns(folder / name.data()));
    mirror.put(key, seal);
    ++made;
  }
  return made;
}

}  // namespace sluice::queue
