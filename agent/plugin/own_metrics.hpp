// SPDX-License-Identifier: Apache-2.0
// The metrics that a plugin makes itself, behind sluice_host's `metric` and `record`. Owned by the host; for any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/metrics.hpp"
#include "plugin/convert.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

class OwnMetrics {
 public:
  /// `scope`: of their names. `metrics` outlives the process's plugins, and so what is made here.
  OwnMetrics(Metrics& metrics, std::string scope) : metrics_(metrics), scope_(std::move(scope)) {}

  /// Makes a metric, or finds it again: it goes into `made`.
  Fault make(std::uint32_t kind, const sluice_str& name, sluice_metric*& made);
  /// NULL is taken, and nothing happens.
  static Fault record(sluice_metric* metric, double value);

 private:
  Metrics& metrics_;
  const std::string scope_;
};

}  // namespace sluice::plugin
