// SPDX-License-Identifier: Apache-2.0
#include "queue/losses.hpp"

#include <algorithm>
#include <utility>

namespace sluice::queue {
namespace {

// Takes the first level off `rest`.
std::string_view level_of(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view level = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return level;
}

std::size_t levels_in(std::string_view topic) {
  return 1 + static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/'));
}

}  // namespace

std::string common_filter(std::string_view filter, std::string_view topic) {
  if (filter.empty() || filter == topic) return std::string(topic);
  const bool open = filter.ends_with('#');
  const std::size_t levels = std::min(levels_in(filter), levels_in(topic));
  const bool same_length = !open && levels_in(filter) == levels_in(topic);
  std::string common;
  for (std::size_t i = 0; i < levels; ++i) {
    const std::string_view a = level_of(filter);
    const std::string_view b = level_of(topic);
    const bool last = i + 1 == levels;
    if (i > 0) common += '/';
    // "#" has what is above it, too: a/# matches a.
    if (a == "#" || b == "#") return common + "#";
    common += a == b ? a : "+";
    if (last && !same_length) common += "/#";
  }
  return common;
}

void add_to(Loss& loss, std::string_view topic, std::int64_t wall_ns) {
  merge_into(loss, {"", loss.limit, loss.newest, std::string(topic), wall_ns, wall_ns, 1});
}

void merge_into(Loss& loss, const Loss& more) {
  if (more.count == 0) return;
  loss.filter = common_filter(loss.filter, more.filter);
  loss.first_ns = loss.count == 0 ? more.first_ns : std::min(loss.first_ns, more.first_ns);
  loss.last_ns = loss.count == 0 ? more.last_ns : std::max(loss.last_ns, more.last_ns);
  loss.count += more.count;
}

void Losses::load(std::vector<Loss> kept) {
  const std::lock_guard lock(mutex_);
  records_.clear();
  for (Loss& loss : kept) records_.push_back({std::move(loss), false});
}

void Losses::begin(std::uint64_t start) {
  const std::lock_guard lock(mutex_);
  start_ = start;
}

void Losses::add(const Loss& loss) {
  if (loss.count == 0) return;
  const std::lock_guard lock(mutex_);
  changed_ = true;
  for (Record& record : records_) {
    if (record.on_its_way || record.loss.limit != loss.limit || record.loss.newest != loss.newest) continue;
    merge_into(record.loss, loss);
    return;
  }
  Record& record = records_.emplace_back(Record{loss, false});
  record.loss.id = "loss/" + std::to_string(start_) + '/' + std::to_string(next_++);
}

std::vector<Loss> Losses::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Loss> all;
  for (const Record& record : records_) all.push_back(record.loss);
  return all;
}

bool Losses::take_changed() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changed_, false);
}

std::vector<Loss> Losses::take() {
  const std::lock_guard lock(mutex_);
  std::vector<Loss> taken;
  for (Record& record : records_) {
    if (!std::exchange(record.on_its_way, true)) taken.push_back(record.loss);
  }
  return taken;
}

void Losses::acknowledge(const std::string& id) {
  const std::lock_guard lock(mutex_);
  changed_ =
      std::erase_if(records_, [&](const Record& record) { return record.loss.id == id; }) > 0 || changed_;
}

void Losses::give_back(const std::string& id) {
  const std::lock_guard lock(mutex_);
  for (Record& record : records_) {
    if (record.loss.id == id) record.on_its_way = false;
  }
}

}  // namespace sluice::queue
