// SPDX-License-Identifier: Apache-2.0
#include "plugin/own_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "plugin/abi.hpp"

namespace sluice::plugin {
namespace {

// Counters are numbers up to here; a double beyond it is no count.
constexpr double max_count = 9e15;

bool is_metric_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// A sluice_metric is the address of the metric itself, which lives as long as the agent, with its kind in the bits
// that the alignment leaves free.
constexpr std::uintptr_t kind_bits = 3;
static_assert(alignof(Counter) > kind_bits && alignof(Gauge) > kind_bits && alignof(Histogram) > kind_bits);

template <typename T>
sluice_metric* tag(T& metric, std::uintptr_t kind) {
  return reinterpret_cast<sluice_metric*>(reinterpret_cast<std::uintptr_t>(&metric) | kind);
}

}  // namespace

Fault OwnMetrics::make(std::uint32_t kind, const sluice_str& name, sluice_metric*& made) {
  if (!readable(name) || !is_metric_name(view(name))) {
    return {"name", "has other characters than a-z, 0-9 and '_'", {}};
  }
  switch (kind) {
    case SLUICE_COUNTER:
      made = tag(metrics_.counter(scope_, view(name)), SLUICE_COUNTER);
      return {};
    case SLUICE_GAUGE:
      made = tag(metrics_.gauge(scope_, view(name)), SLUICE_GAUGE);
      return {};
    case SLUICE_HISTOGRAM:
      made = tag(metrics_.histogram(scope_, view(name)), SLUICE_HISTOGRAM);
      return {};
    default:
      return {"kind", "is unknown", {}};
  }
}

Fault OwnMetrics::record(sluice_metric* metric, double value) {
  if (metric == nullptr) return {};
  const auto bits = reinterpret_cast<std::uintptr_t>(metric);
  auto* const address = reinterpret_cast<void*>(bits & ~kind_bits);
  switch (bits & kind_bits) {
    case SLUICE_COUNTER:
      if (!(value >= 0 && value <= max_count)) return {"value", "is no count", {}};
      static_cast<Counter*>(address)->add(static_cast<std::uint64_t>(value));
      return {};
    case SLUICE_GAUGE:
      static_cast<Gauge*>(address)->set(value);
      return {};
    case SLUICE_HISTOGRAM:
      if (!std::isnan(value)) static_cast<Histogram*>(address)->record(value);
      return {};
    default:
      return {};
  }
}

}  // namespace sluice::plugin
