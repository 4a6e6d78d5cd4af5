// SPDX-License-Identifier: Apache-2.0
// What the limits have dropped and upstream has not been told: a few records, merged until one is handed out, kept in the
// state file until it is acknowledged. Owned by the keeper; safe from every thread, one mutex, held briefly.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::queue {

enum class Limit : std::uint8_t { max_bytes, max_age, reserve_free, disk_full };

constexpr std::string_view name_of(Limit limit) {
  switch (limit) {
    case Limit::max_bytes:
      return "max_bytes";
    case Limit::max_age:
      return "max_age";
    case Limit::reserve_free:
      return "reserve_free";
    case Limit::disk_full:
      break;
  }
  return "disk_full";
}

struct Loss {
  std::string id;  ///< never used twice in this queue; the same when it is sent again
  Limit limit = Limit::max_bytes;
  bool newest = false;        ///< what came in was dropped; else what was stored
  std::string filter;         ///< an MQTT topic filter that matches the topics of all of them
  std::int64_t first_ns = 0;  ///< wall clock of the oldest of them
  std::int64_t last_ns = 0;   ///< and of the latest
  std::uint64_t count = 0;
  bool operator==(const Loss&) const = default;
};

/// Adds a message to what is lost.
void add_to(Loss& loss, std::string_view topic, std::int64_t wall_ns);
/// Adds all that `more` stands for.
void merge_into(Loss& loss, const Loss& more);
/// The narrowest filter that has both, as far as whole levels go.
std::string common_filter(std::string_view filter, std::string_view topic);

class Losses {
 public:
  // The storage thread.

  /// What the state file has kept.
  void load(std::vector<Loss> kept);
  /// Records are numbered within a start.
  void begin(std::uint64_t start);
  void add(const Loss& loss);
  std::vector<Loss> all() const;
  /// Since the last call, all() has changed.
  bool take_changed();

  // The forwarder's.

  /// Those that are not on their way; the caller answers each by one of the two below.
  std::vector<Loss> take();
  void acknowledge(const std::string& id);
  void give_back(const std::string& id);

 private:
  struct Record {
    Loss loss;
    bool on_its_way = false;
  };
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::vector<Record> records_;
  std::uint64_t start_ = 0;
  std::uint64_t next_ = 1;
  bool changed_ = false;
};

}  // namespace sluice::queue
