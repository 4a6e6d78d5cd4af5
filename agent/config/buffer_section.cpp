// SPDX-License-Identifier: Apache-2.0
// [buffer] and [output.buffer].
#include "config/sections.hpp"

namespace sluice::config {

queue::Options read_buffer(const Setting* table, std::string section, const Reading& reading) {
  using std::chrono::hours;
  constexpr std::uint64_t kibibyte = std::uint64_t{1} << 10U;
  constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30U;
  TableReader buffer = reading.table(table, std::move(section));
  queue::Options options;
  options.max_bytes = buffer.size("max_bytes", options.max_bytes, 1024 * kibibyte);
  options.max_age = buffer.duration("max_age", options.max_age);
  options.reserve_free = buffer.size("reserve_free", options.reserve_free);
  options.when_full = buffer.choice(
      "when_full", options.when_full,
      {{"drop-oldest", queue::WhenFull::drop_oldest}, {"drop-newest", queue::WhenFull::drop_newest}});
  options.set(buffer.choice("durability", queue::Durability::balanced,
                            {{"strict", queue::Durability::strict},
                             {"balanced", queue::Durability::balanced},
                             {"flash", queue::Durability::flash}}));
  options.persist_after = buffer.duration("persist_after", options.persist_after, {.max = hours(24)});
  options.commit_interval = buffer.duration("commit_interval", options.commit_interval, {.max = hours(24)});
  options.sync =
      buffer.choice("sync", options.sync, {{"full", queue::Sync::full}, {"normal", queue::Sync::normal}});
  options.memory = buffer.size("memory", options.memory, 64 * kibibyte, gibibyte);
  options.order = buffer.choice("order", options.order,
                                {{"strict", queue::Order::strict}, {"live-first", queue::Order::live_first}});
  options.replay_rate =
      static_cast<std::uint32_t>(buffer.integer("replay_rate", options.replay_rate, 0, 1'000'000'000));

  reading.finish(buffer);
  return options;
}

}  // namespace sluice::config
