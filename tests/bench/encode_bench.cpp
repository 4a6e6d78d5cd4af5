// SPDX-License-Identifier: Apache-2.0
// How many messages a second become payloads.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.hpp"
#include "encode/encoder.hpp"

namespace {

using namespace sluice;

constexpr std::size_t calls = 200'000;
constexpr int runs = 11;

Delivery delivery(std::vector<Sample> samples) {
  auto message = std::make_shared<Message>();
  message->topic = "plant/line1/oven/temperature";
  message->time.wall_ns = 1'769'860'800'123'456'789;
  message->samples = std::move(samples);
  return {message, {}, {}};
}

void measure(const char* name, const Delivery& encoded) {
  std::size_t bytes = 0;
  std::vector<double> ns;
  for (int run = 0; run < runs; ++run) {
    ns.push_back(bench::nanoseconds_per_call(calls, [&] {
      for (std::size_t i = 0; i < calls; ++i) bytes += encode::encode(encoded).size();
    }));
  }
  std::printf("%-20s %7.1f ns  %5.2f M/s  %zu bytes\n", name, bench::median(ns), 1000 / bench::median(ns),
              bytes / (calls * runs));
}

}  // namespace

int main() {
  measure("one number", delivery({{"temperature", 21.4375, Quality::good, ""}}));
  std::vector<Sample> many;
  for (int i = 0; i < 10; ++i) many.push_back({"sample" + std::to_string(i), 0.1 * i, Quality::good, ""});
  measure("ten numbers", delivery(many));
  measure("200 bytes of text", delivery({{"text", std::string(200, 'x'), Quality::good, ""}}));
}
