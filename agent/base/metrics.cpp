// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.hpp"

#include <cmath>
#include <stdexcept>

namespace sluice {
namespace {

constexpr double first_bound = 1e-6;

}  // namespace

void Histogram::record(double value) noexcept {
  if (!std::isfinite(value)) return;  // the sum would never be a number again
  std::size_t bucket = 0;
  if (value > first_bound) {
    const double doublings = std::ceil(std::log2(value / first_bound));
    bucket = doublings >= bucket_count ? bucket_count - 1 : static_cast<std::size_t>(doublings);
  }
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

double Histogram::quantile(double q) const noexcept {
  const double wanted = q * static_cast<double>(count());
  double seen = 0;
  double bound = first_bound;
  for (const auto& bucket : buckets_) {
    seen += static_cast<double>(bucket.load(std::memory_order_relaxed));
    if (seen > 0 && seen >= wanted) return bound;
    bound *= 2;
  }
  return 0;
}

template <typename T>
T& Metrics::find(std::unique_ptr<T> Entry::*member, std::string_view scope, std::string_view name) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[Key(scope, name)];
  if (!(entry.*member)) {
    if (entry.counter || entry.gauge || entry.histogram) {
      throw std::logic_error("metric " + std::string(scope) + "." + std::string(name) +
                             " is of another kind");
    }
    entry.*member = std::make_unique<T>();
  }
  return *(entry.*member);
}

Counter& Metrics::counter(std::string_view scope, std::string_view name) {
  return find(&Entry::counter, scope, name);
}
Gauge& Metrics::gauge(std::string_view scope, std::string_view name) {
  return find(&Entry::gauge, scope, name);
}
Histogram& Metrics::histogram(std::string_view scope, std::string_view name) {
  return find(&Entry::histogram, scope, name);
}

std::vector<Metrics::Reading> Metrics::snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<Reading> readings;
  readings.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) {
    Reading reading;
    reading.scope = key.first;
    reading.name = key.second;
    if (entry.counter) {
      reading.count = entry.counter->value();
    } else if (entry.gauge) {
      reading.kind = Reading::Kind::gauge;
      reading.value = entry.gauge->value();
    } else {
      reading.kind = Reading::Kind::histogram;
      reading.value = entry.histogram->sum();
      reading.count = entry.histogram->count();
      reading.p50 = entry.histogram->quantile(0.5);
      reading.p99 = entry.histogram->quantile(0.99);
    }
    readings.push_back(std::move(reading));
  }
  return readings;
}

}  // namespace sluice
