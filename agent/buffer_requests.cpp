// SPDX-License-Identifier: Apache-2.0
#include "buffer_requests.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64.hpp"
#include "base/utf8.hpp"
#include "encode/encoder.hpp"
#include "exported_line.hpp"
#include "route/topic.hpp"

namespace sluice {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t most_at_once = 1000;

ordered_json counts(const queue::Counts& counts) {
  ordered_json document;
  for (std::size_t i = 0; i < queue::way_count; ++i) {
    const auto way = static_cast<queue::Way>(i);
    document[std::string(queue::name_of(way))] = counts[way];
  }
  return document;
}

ordered_json ledger(const queue::Ledger& ledger) {
  ordered_json document;
  document["committed"] = ledger.counts.committed;
  document["stored"] = ledger.stored;
  document.update(counts(ledger.counts));
  document["balanced"] = ledger.balanced();
  return document;
}

// What would be published: JSON as it is, other text as a string, and bytes that are no text as base64, marked as such.
void put_payload(ordered_json& document, const Delivery& delivery) {
  const std::string encoded = encode::encode(delivery);
  if (!is_utf8(encoded)) {
    std::string payload;
    append_base64(payload, encoded);
    document["payload"] = payload;
    document["encoding"] = "base64";
    return;
  }
  const bool is_json = delivery.options.format == Format::json && !delivery.message->payload;
  ordered_json parsed = is_json ? ordered_json::parse(encoded, nullptr, false) : ordered_json(encoded);
  document["payload"] = parsed.is_discarded() ? ordered_json(encoded) : std::move(parsed);
}

ordered_json letters(const queue::LetterCounts& counts) {
  return {{"added", counts.added},        {"kept", counts.kept},       {"retried", counts.retried},
          {"dropped", counts.dropped},    {"removed", counts.removed}, {"lost", counts.lost},
          {"balanced", counts.balanced()}};
}

ordered_json describe(const std::string& id, const Delivery& delivery, bool packed) {
  ordered_json document;
  document["id"] = id;
  document["topic"] = delivery.topic();
  document["ts"] = encode::rfc3339(delivery.message->time.wall_ns);
  document["input"] = delivery.message->input;
  document["qos"] = delivery.options.qos;
  document["retain"] = delivery.options.retain || delivery.message->retain;
  put_payload(document, delivery);
  if (packed) document["packed"] = packed_value(delivery);
  return document;
}

ordered_json timestamp(const std::optional<std::int64_t>& wall_ns) {
  return wall_ns ? ordered_json(encode::rfc3339(*wall_ns)) : ordered_json(nullptr);
}

void put_unreadable(ordered_json& document, std::string_view bytes) {
  std::string base64;
  append_base64(base64, bytes);
  document["unreadable"] = std::move(base64);
}

std::size_t limit_of(const ordered_json& request) {
  return std::min<std::size_t>(request.value("max", most_at_once), most_at_once);
}

ordered_json read(queue::Queue& queue, const ordered_json& request) {
  ordered_json document;
  document["messages"] = ordered_json::array();
  const bool packed = request.value("packed", false);
  std::uint64_t last = 0;
  for (const queue::Stored& stored :
       queue.read(request.value("after", std::uint64_t{0}), limit_of(request))) {
    document["messages"].push_back(describe(stored.id, stored.delivery, packed));
    last = stored.sequence;
  }
  document["last"] = last;
  return document;
}

ordered_json read_dead_letters(queue::Queue& queue, const ordered_json& request) {
  ordered_json document;
  document["messages"] = ordered_json::array();
  const bool packed = request.value("packed", false);
  std::uint64_t last = 0;
  for (const queue::DeadLetter& letter :
       queue.read_dead_letters(request.value("after", std::uint64_t{0}), limit_of(request))) {
    ordered_json described;
    if (letter.delivery) {
      described = describe(letter.id, *letter.delivery, packed);
    } else {
      described = {{"id", letter.id}, {"topic", letter.topic}};
      if (packed) put_unreadable(described, letter.unreadable);
    }
    described["reason"] = letter.reason;
    described["dead_lettered_at"] = encode::rfc3339(letter.time_ns);
    document["messages"].push_back(std::move(described));
    last = letter.number;
  }
  document["last"] = last;
  return document;
}

// Which messages a request means.
class Selection {
 public:
  Selection(const ordered_json& request, const Clock& clock) : filter_(request.value("match", "")) {
    std::string why;
    if (!filter_.empty() && !route::valid_filter(filter_, &why)) {
      throw std::invalid_argument(filter_ + ": " + why);
    }
    const std::int64_t older_than_ns = request.value("older_than_ns", std::int64_t{0});
    if (older_than_ns != 0) before_ns_ = clock.wall().count() - older_than_ns;
    if (request.contains("ids")) ids_ = request["ids"].get<std::set<std::string>>();
  }

  bool is_everything() const { return filter_.empty() && !before_ns_ && !ids_; }

  bool chooses(const std::string& id, const Delivery* delivery) {
    if (ids_) {
      if (ids_->count(id) == 0) return false;
      found_.insert(id);
    }
    if (delivery == nullptr) return filter_.empty() && !before_ns_;
    return (filter_.empty() || route::matches(filter_, delivery->topic())) &&
           (!before_ns_ || delivery->message->time.wall_ns < *before_ns_);
  }

  // Ids that were asked for and are not there.
  std::vector<std::string> unknown() const {
    std::vector<std::string> missing;
    for (const std::string& id : ids_.value_or(std::set<std::string>())) {
      if (found_.count(id) == 0) missing.push_back(id);
    }
    return missing;
  }

 private:
  std::string filter_;
  std::optional<std::int64_t> before_ns_;
  std::optional<std::set<std::string>> ids_;
  std::set<std::string> found_;
};

const Delivery* delivery_in(const queue::DeadLetter& letter) {
  return letter.delivery ? &*letter.delivery : nullptr;
}

ordered_json import_messages(queue::Queue& queue, const ordered_json& request) {
  std::vector<Delivery> deliveries;
  for (const auto& base64 : request.at("messages")) {
    deliveries.push_back(read_packed(base64.get_ref<const std::string&>()));
  }
  return {{"imported", queue.commit(deliveries)}};
}

ordered_json drop(queue::Queue& queue, Selection&& selection) {
  const std::uint64_t dropped =
      selection.is_everything() ? queue.drop() : queue.drop([&](const queue::Stored& stored) {
        return selection.chooses(stored.id, &stored.delivery);
      });
  return {{"dropped", dropped}, {"unknown", selection.unknown()}};
}

ordered_json drop_dead_letters(queue::Queue& queue, Selection&& selection) {
  const std::uint64_t dropped = queue.drop_dead_letters(
      [&](const queue::DeadLetter& letter) { return selection.chooses(letter.id, delivery_in(letter)); });
  return {{"dropped", dropped}, {"unknown", selection.unknown()}};
}

ordered_json retry(queue::Queue& queue, Selection&& selection) {
  const queue::Queue::Retried retried = queue.retry_dead_letters(
      [&](const queue::DeadLetter& letter) { return selection.chooses(letter.id, delivery_in(letter)); });
  return {{"retried", retried.count},
          {"full", retried.full},
          {"unreadable", retried.unreadable},
          {"unknown", retried.full ? std::vector<std::string>() : selection.unknown()}};
}

ordered_json verify(queue::Queue& queue) {
  const queue::Verification verification = queue.verify();
  ordered_json document;
  document["ledger"] = ledger(verification.ledger);
  document["letters"] = letters(verification.letters);
  document["segments"] = ordered_json::array();
  for (const queue::SegmentCheck& segment : verification.segments) {
    document["segments"].push_back({{"file", segment.file},
                                    {"quick_check", segment.quick_check},
                                    {"committed", segment.kept.committed},
                                    {"rows", segment.rows},
                                    {"gone", segment.gone}});
  }
  document["differences"] = verification.differences;
  return document;
}

void add_up(ordered_json& total, const ordered_json& part) {
  for (const auto& [name, value] : part.items()) {
    if (value.is_number()) total[name] = total.value(name, std::uint64_t{0}) + value.get<std::uint64_t>();
  }
}

ordered_json verify(const Queues& queues) {
  ordered_json document;
  document["ledger"] = document["letters"] = ordered_json::object();
  document["segments"] = document["differences"] = ordered_json::array();
  bool balanced = true;
  bool letters_balanced = true;
  for (const auto& [name, queue] : queues) {
    ordered_json verified = verify(*queue);
    add_up(document["ledger"], verified["ledger"]);
    add_up(document["letters"], verified["letters"]);
    letters_balanced = letters_balanced && verified["letters"]["balanced"].get<bool>();
    balanced = balanced && verified["ledger"]["balanced"].get<bool>();
    for (ordered_json segment : verified["segments"]) {
      segment["queue"] = name;
      document["segments"].push_back(std::move(segment));
    }
    for (const ordered_json& difference : verified["differences"]) {
      document["differences"].push_back(name + ": " + difference.get<std::string>());
    }
    document["queues"][name] = std::move(verified);
  }
  document["ledger"]["balanced"] = balanced;
  document["letters"]["balanced"] = letters_balanced;
  return document;
}

std::uint64_t acknowledge_damage(const Queues& queues) {
  std::uint64_t fresh = 0;
  for (const auto& [name, queue] : queues) fresh += queue->acknowledge_damage();
  return fresh;
}

// Those that the request is about.
Queues chosen(const Queues& queues, const ordered_json& request) {
  const std::string wanted = request.value("queue", "");
  if (wanted.empty()) return queues;
  std::string names;
  for (const auto& queue : queues) {
    if (queue.first == wanted) return {queue};
    names += (names.empty() ? "" : ", ") + queue.first;
  }
  throw std::invalid_argument("there is no queue \"" + wanted + "\": there is " + names);
}

ordered_json totals(const queue::Stats& stats) {
  ordered_json figures;
  figures["messages"] = stats.messages;
  figures["in_memory"] = stats.in_memory;
  figures["bytes"] = stats.bytes;
  figures["oldest_ts"] = timestamp(stats.oldest_ts);
  figures["dropped"] = stats.ledger.dropped_by_limit() + stats.ledger.counts[queue::Way::dropped_by_user] +
                       stats.dropped_newest;
  figures["dead_letters"] = stats.dead_letters;
  return figures;
}

ordered_json statistics(const queue::Stats& stats) {
  const ordered_json figures = totals(stats);
  ordered_json queue = figures;
  queue["memory_bytes"] = stats.memory_bytes;
  queue["segments"] = stats.segments;
  queue["ledger"] = ledger(stats.ledger);
  queue["letters"] = letters(stats.letters);
  queue["passed"] = stats.passed;
  queue["passed_other"] = stats.passed_other;
  queue["dropped_newest"] = stats.dropped_newest;
  queue["losses"] = stats.losses;
  queue["start"] = stats.start;
  const queue::QuarantineSummary& quarantine = stats.quarantine;
  queue["quarantine"] = {{"folder", quarantine.folder}, {"bytes", quarantine.bytes},
                         {"new", quarantine.cases},     {"salvaged", quarantine.salvaged},
                         {"lost", quarantine.lost},     {"latest", quarantine.latest}};
  queue["degraded"] = stats.degraded;
  queue["problem"] = stats.problem;
  for (const queue::Lane lane : queue::all_lanes) {
    const queue::LaneStats& of_lane = stats.lanes[queue::index_of(lane)];
    queue["lanes"][std::string(queue::name_of(lane))] = {
        {"messages", of_lane.messages}, {"in_memory", of_lane.in_memory},
        {"bytes", of_lane.bytes},       {"oldest_ts", timestamp(of_lane.oldest_ts)},
        {"dropped", of_lane.dropped},   {"dead_letters", of_lane.dead_letters}};
  }

  return queue;
}

}  // namespace

ordered_json buffer_statistics(const Queues& queues) {
  ordered_json document = totals({});
  for (const auto& [name, queue] : queues) {
    const ordered_json figures = statistics(queue->stats());
    for (const char* sum : {"messages", "in_memory", "bytes", "dropped", "dead_letters"}) {
      document[sum] = document[sum].get<std::uint64_t>() + figures[sum].get<std::uint64_t>();
    }
    // RFC 3339 in UTC: the first of two texts is the earlier.
    ordered_json& oldest = document["oldest_ts"];
    const ordered_json& its_oldest = figures["oldest_ts"];
    if (oldest.is_null() || (!its_oldest.is_null() && its_oldest < oldest)) oldest = its_oldest;
    document["queues"][name] = figures;
  }
  return document;
}

ordered_json answer_buffer_request(const Queues& queues, const ordered_json& request, const Clock& clock) {
  const Queues asked = chosen(queues, request);
  queue::Queue& queue = *asked.front().second;
  const std::string command = request.value("command", "");
  if (command == "buffer.stat") return buffer_statistics(asked);
  if (command == "buffer.read") return read(queue, request);
  if (command == "buffer.dead") return read_dead_letters(queue, request);
  if (command == "buffer.import") return import_messages(queue, request);
  if (command == "buffer.drop") return drop(queue, Selection(request, clock));
  if (command == "buffer.drop_dead") return drop_dead_letters(queue, Selection(request, clock));
  if (command == "buffer.retry") return retry(queue, Selection(request, clock));
  if (command == "buffer.verify") return verify(asked);
  if (command == "buffer.acknowledge") return {{"acknowledged", acknowledge_damage(asked)}};
  throw std::invalid_argument("unknown request \"" + command + "\"");
}

}  // namespace sluice
