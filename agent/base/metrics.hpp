// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms by scope and name, for `status` and later exporters. Registration and
// snapshots lock; recording does not. A metric lives as long as its Metrics. Safe from every thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Counts values in buckets whose upper bounds double from 1e-6; times are in seconds. What is no finite number is
/// left out.
class Histogram {
 public:
  static constexpr std::size_t bucket_count = 32;
  void record(double value) noexcept;
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }
  /// The upper bound of the bucket in which the q-th part (0..1) of the values ends; 0 without values.
  double quantile(double q) const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, bucket_count> buckets_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<double> sum_{0};
};

class Metrics {
 public:
  /// The metric of that name in that scope ("queue.mqtt", "input.line1"), made at the first call. A name
  /// belongs to one kind: asking for another throws std::logic_error.
  Counter& counter(std::string_view scope, std::string_view name);
  Gauge& gauge(std::string_view scope, std::string_view name);
  Histogram& histogram(std::string_view scope, std::string_view name);

  struct Reading {
    enum class Kind { counter, gauge, histogram };
    std::string scope;
    std::string name;
    Kind kind = Kind::counter;
    double value = 0;         ///< gauge; histogram: the sum
    std::uint64_t count = 0;  ///< counter; histogram: the number of values
    double p50 = 0;
    double p99 = 0;
  };
  /// All of them, in order of scope and name.
  std::vector<Reading> snapshot() const;

 private:
  using Key = std::pair<std::string, std::string>;
  struct Entry {
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
  };

  template <typename T>
  T& find(std::unique_ptr<T> Entry::*member, std::string_view scope, std::string_view name);

  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;  // guarded by mutex_
};

}  // namespace sluice
