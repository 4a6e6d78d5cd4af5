// SPDX-License-Identifier: Apache-2.0
// What can be asked of a queue, as JSON: by the command line of the running agent, over its socket, or by the command
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
//   {"command":"buffer.verify"}                            {"balanced":true,…,"differences":[]}
//   {"command":"buffer.acknowledge"}                       {"acknowledged":N}: damaged files that were not known yet
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/clock.hpp"
#include "queue/queue.hpp"

namespace sluice {

/// Throws std::invalid_argument for a request that is none of these, std::runtime_error where the disk fails.
nlohmann::ordered_json answer_buffer_request(queue::Queue& queue, const nlohmann::ordered_json& request,
                                             const Clock& clock);

/// The figures of a queue, in total and by queue and lane.
nlohmann::ordered_json buffer_statistics(const queue::Stats& stats);

}  // namespace sluice
