// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <thread>
#include <vector>

namespace sluice {
namespace {

TEST(Metrics, KeepOneMetricOfAName) {
  Metrics metrics;
  metrics.counter("queue.mqtt", "appended").add(2);
  metrics.counter("queue.mqtt", "appended").add();
  EXPECT_EQ(metrics.counter("queue.mqtt", "appended").value(), 3U);
  EXPECT_EQ(metrics.counter("queue.file", "appended").value(), 0U);
}

TEST(Metrics, RefuseANameOfAnotherKind) {
  Metrics metrics;
  metrics.counter("a", "x");
  metrics.histogram("a", "y");
  EXPECT_THROW(metrics.gauge("a", "x"), std::logic_error);
  EXPECT_THROW(metrics.histogram("a", "x"), std::logic_error);
  EXPECT_THROW(metrics.counter("a", "y"), std::logic_error);
  EXPECT_EQ(metrics.snapshot().size(), 2U);
}

TEST(Metrics, SnapshotIsInOrderOfScopeAndName) {
  Metrics metrics;
  metrics.gauge("b", "level").set(1.5);
  metrics.counter("b", "count").add(7);
  metrics.histogram("a", "time").record(0.5);
  metrics.histogram("a", "time").record(0.25);
  const auto readings = metrics.snapshot();
  ASSERT_EQ(readings.size(), 3U);
  EXPECT_EQ(readings[0].scope + "." + readings[0].name, "a.time");
  EXPECT_EQ(readings[0].kind, Metrics::Reading::Kind::histogram);
  EXPECT_EQ(readings[0].count, 2U);
  EXPECT_DOUBLE_EQ(readings[0].value, 0.75);
  EXPECT_EQ(readings[1].scope + "." + readings[1].name, "b.count");
  EXPECT_EQ(readings[1].kind, Metrics::Reading::Kind::counter);
  EXPECT_EQ(readings[1].count, 7U);
  EXPECT_EQ(readings[2].scope + "." + readings[2].name, "b.level");
  EXPECT_EQ(readings[2].kind, Metrics::Reading::Kind::gauge);
  EXPECT_DOUBLE_EQ(readings[2].value, 1.5);
}

TEST(Metrics, CountFromSeveralThreads) {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 5000; ++n) {
          metrics.counter("a", "x").add();
          metrics.histogram("a", "t").record(0.001);
        }
      });
    }
    metrics.snapshot();
  }
  EXPECT_EQ(metrics.counter("a", "x").value(), 20'000U);
  EXPECT_EQ(metrics.histogram("a", "t").count(), 20'000U);
  EXPECT_NEAR(metrics.histogram("a", "t").sum(), 20.0, 1e-6);
}

TEST(Histogram, WithoutValuesHasNoQuantile) {
  const Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0);
  EXPECT_EQ(histogram.count(), 0U);
}

TEST(Histogram, QuantileIsTheUpperBoundOfItsBucket) {
  Histogram histogram;
  for (int i = 0; i < 98; ++i) histogram.record(0.9e-6);
  histogram.record(3e-6);
  histogram.record(1.0);
  EXPECT_DOUBLE_EQ(histogram.quantile(0.5), 1e-6);
  EXPECT_DOUBLE_EQ(histogram.quantile(0.99), 4e-6);
  EXPECT_GE(histogram.quantile(1), 1.0);
  EXPECT_LT(histogram.quantile(1), 2.0);
}

TEST(Histogram, PutsAValueOnABoundBelowIt) {
  Histogram histogram;
  histogram.record(1e-6);
  EXPECT_DOUBLE_EQ(histogram.quantile(1), 1e-6);
  histogram.record(2e-6);
  EXPECT_DOUBLE_EQ(histogram.quantile(1), 2e-6);
}

TEST(Histogram, TakesValuesBelowAndAboveItsBuckets) {
  Histogram histogram;
  histogram.record(-1);
  histogram.record(0);
  EXPECT_DOUBLE_EQ(histogram.quantile(1), 1e-6);
  histogram.record(1e30);
  EXPECT_GT(histogram.quantile(1), 1000.0);
  EXPECT_EQ(histogram.count(), 3U);
}

TEST(Histogram, LeavesOutWhatIsNoNumber) {
  Histogram histogram;
  histogram.record(std::nan(""));
  histogram.record(HUGE_VAL);
  histogram.record(1.0);
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_DOUBLE_EQ(histogram.sum(), 1.0);
}

}  // namespace
}  // namespace sluice
