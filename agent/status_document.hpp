// SPDX-License-Identifier: Apache-2.0
// The documents that `sluice status --json` and `sluice route --json` print: their keys are stable. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "mqtt/session.hpp"
#include "plugin/instance.hpp"
#include "queue/queue.hpp"
#include "route/rules.hpp"

namespace sluice {

nlohmann::ordered_json session_document(const mqtt::SessionStatus& status);

nlohmann::ordered_json instance_document(const plugin::InstanceStatus& status);

/// {"scope":{"name":1,…},…}: counters and gauges as numbers, histograms as {count,sum,p50,p99}.
nlohmann::ordered_json metrics_document(const std::vector<Metrics::Reading>& readings);

/// {"topic":…,"rules":[{"match":…,"matched":…,"to":[…],…}],"outputs":[{"output":…,"topic":…,"rule":N}]}
nlohmann::ordered_json explanation_document(const route::Rules::Explanation& explanation,
                                            const std::vector<route::Rule>& rules);

}  // namespace sluice
