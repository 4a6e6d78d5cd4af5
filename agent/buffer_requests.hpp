// SPDX-License-Identifier: Apache-2.0
// What can be asked of the queues, as JSON: by the command line of the running agent, over its socket, or by the command
// line itself where none runs. For threads that may wait for the disk.
//
//   {"command":"buffer.stat"}                              never waits for the disk
//   {"command":"buffer.read","after":N,"max":N}            {"messages":[…],"last":N}; last = 0: no more
//   {"command":"buffer.dead","after":N,"max":N}            the same for dead letters
//   A message: {"id","topic","ts","input","qos","retain","payload"[,"encoding"]}. The payload is the JSON that is
//   published, or text, or with "encoding":"base64" bytes that are no UTF-8. With "packed":true in the request it has
//   "packed", too (exported_line.hpp). A dead letter has "reason" and "dead_lettered_at" besides; of one that cannot be
//   read there is the topic, where it is known, and with "packed":true "unreadable", base64.
//   {"command":"buffer.import","messages":[BASE64,…]}      {"imported":N}: the first N are committed; 0: there is
//                                                          no room for the first, for now
//   {"command":"buffer.drop"[,SELECTION]}                  {"dropped":N,"unknown":[ID,…]}
//   {"command":"buffer.drop_dead"[,SELECTION]}             the same for dead letters
//   {"command":"buffer.retry"[,SELECTION]}                 {"retried":N,"full":BOOL,"unreadable":[ID,…],"unknown":[ID,…]}
//   A selection: "match":FILTER, "older_than_ns":N, "ids":[ID,…]: what all that are there choose; without: everything.
//   Ids that are not there are answered as unknown.
//   {"command":"buffer.verify"}                            {"ledger":{…},"letters":{…},"segments":[…],"differences":[],
//                                                          "queues":{…}}
//   {"command":"buffer.acknowledge"}                       {"acknowledged":N}: damaged files that were not known yet
//   Each may name a queue: "queue":NAME. Without it stat, verify and acknowledge mean all of them, in total and by queue,
//   the others the first.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "queue/queue.hpp"

namespace sluice {

/// By name; one at least. The first is the session's.
using Queues = std::vector<std::pair<std::string, queue::Queue*>>;

/// Throws std::invalid_argument for a request that is none of these or names no queue that is there, std::runtime_error
/// where the disk fails.
nlohmann::ordered_json answer_buffer_request(const Queues& queues, const nlohmann::ordered_json& request,
                                             const Clock& clock);

/// The figures in total, and by queue and lane.
nlohmann::ordered_json buffer_statistics(const Queues& queues);

}  // namespace sluice
