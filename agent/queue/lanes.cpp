// SPDX-License-Identifier: Apache-2.0
#include "queue/lanes.hpp"

#include <algorithm>

namespace sluice::queue {
namespace {

// By ascending base.
constexpr std::array<Lane, lane_count> by_sequence = {Lane::normal, Lane::high, Lane::low, Lane::last};
// What goes first where there is no room. There is little in `last`, and there would be less news without it.
constexpr std::array<Lane, lane_count> by_importance = {Lane::low, Lane::normal, Lane::high, Lane::last};

}  // namespace

void Lanes::load() {
  for (const auto& store : stores_) store->load();
}

void Lanes::reload(bool doubtful) {
  for (const auto& store : stores_) store->reload(doubtful);
}

void Lanes::close() {
  for (const auto& store : stores_) store->close();
}

std::uint64_t Lanes::last_index() const {
  std::uint64_t last = 0;
  for (const auto& store : stores_) {
    if (store->last() != 0) last = std::max(last, store->last() - base_of(store->lane()));
  }
  return last;
}

bool Lanes::mend(const std::filesystem::path& file, const std::string& reason) {
  return std::any_of(stores_.begin(), stores_.end(),
                     [&](const auto& store) { return store->mend(file, reason); });
}

void Lanes::mend_missing() {
  for (const auto& store : stores_) store->mend_missing();
}

void Lanes::save(bool durable) {
  for (const auto& store : stores_) store->save(durable);
}

void Lanes::finish() {
  for (const auto& store : stores_) store->finish();
}

std::uint64_t Lanes::unsaved_sequences() const {
  std::uint64_t sum = 0;
  for (const auto& store : stores_) sum += store->unsaved_sequences();
  return sum;
}

void Lanes::retire_finished() {
  for (const auto& store : stores_) store->retire_finished();
}

void Lanes::drop_old() {
  for (const auto& store : stores_) store->drop_old();
}

std::uint64_t Lanes::settle_all(Way way) {
  std::uint64_t settled = 0;
  for (const auto& store : stores_) settled += store->settle_all(way);
  return settled;
}

bool Lanes::read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes,
                 std::vector<StoredRow>& out) {
  const std::size_t before = out.size();
  std::size_t bytes = 0;
  for (const Lane lane : by_sequence) {
    const std::size_t from = out.size();
    if (from - before >= max_rows || bytes >= max_bytes) return false;
    if (!(*this)[lane].read(after, max_rows - (from - before), max_bytes - bytes, out)) return false;
    for (std::size_t i = from; i < out.size(); ++i) bytes += out[i].data.size();
  }
  return true;
}

Counts Lanes::counts() const {
  Counts counts;
  for (const auto& store : stores_) counts += store->counts();
  return counts;
}

std::uint64_t Lanes::bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& store : stores_) bytes += store->bytes();
  return bytes;
}

std::size_t Lanes::parts() const {
  std::size_t parts = 0;
  for (const auto& store : stores_) parts += store->parts().size();
  return parts;
}

std::uint64_t Lanes::bytes_with(Lane lane, std::uint64_t packed_bytes) const {
  std::uint64_t bytes = 0;
  for (const auto& store : stores_) bytes += store->bytes_with(store->lane() == lane ? packed_bytes : 0);
  return bytes;
}

std::uint64_t Lanes::droppable_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& store : stores_) bytes += store->droppable_bytes();
  return bytes;
}

bool Lanes::drop_oldest(Limit limit) {
  return std::any_of(by_importance.begin(), by_importance.end(),
                     [&](Lane lane) { return (*this)[lane].drop_oldest(limit); });
}

}  // namespace sluice::queue
