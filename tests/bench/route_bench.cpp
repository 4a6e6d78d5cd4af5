// SPDX-License-Identifier: Apache-2.0
// What a match costs in a table of 10 rules, and in one of 10,000. Each topic matches two rules in both.
// "spread": the topics are spread over the whole table, which therefore has to come from the outer caches;
// "hot": the same ten topics again and again, as the few instances of one gateway publish them.
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "bench/measure.hpp"
#include "route/rules.hpp"

namespace {

using sluice::route::From;
using sluice::route::Rule;
using sluice::route::Rules;

constexpr std::size_t topic_count = 10'000;  // the same for both tables, so that reading them costs the same
constexpr int runs = 41;
constexpr int rounds = 10;  // through all topics, in a run

// Three kinds of filters, and one that matches everything.
Rules make_table(std::size_t count) {
  std::vector<Rule> table;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    const std::string line = "line" + std::to_string(i);
    Rule rule;
    rule.match = i % 3 == 0   ? "plant/" + line + "/#"
                 : i % 3 == 1 ? "plant/" + line + "/+/temperature"
                              : "plant/" + line + "/oven/temperature";
    rule.to = {i % 2 == 0 ? "mqtt" : "archive"};
    table.push_back(rule);
  }
  Rule rest;
  rest.match = "#";
  rest.to = {"mqtt"};
  table.push_back(rest);
  return Rules(std::move(table), "bench");
}

std::vector<std::string> make_topics(std::size_t lines) {
  std::mt19937 random(1);
  std::uniform_int_distribution<std::size_t> line(0, lines - 1);
  std::vector<std::string> topics(topic_count);
  for (std::string& topic : topics) topic = "plant/line" + std::to_string(line(random)) + "/oven/temperature";
  return topics;
}

std::size_t delivered = 0;  // so that nothing is optimised away

double one_run(const Rules& rules, const std::vector<std::string>& topics) {
  static std::vector<Rules::Hit> hits;
  return sluice::bench::nanoseconds_per_call(rounds * topics.size(), [&] {
    for (int round = 0; round < rounds; ++round) {
      for (const std::string& topic : topics) {
        rules.route(topic, From::input, hits);
        delivered += hits.size();
      }
    }
  });
}

void compare(const char* name, const Rules& small, const std::vector<std::string>& small_topics,
             const Rules& large, const std::vector<std::string>& large_topics) {
  std::vector<double> small_ns;
  std::vector<double> large_ns;
  std::vector<double> ratios;
  for (int run = 0; run < runs; ++run) {
    small_ns.push_back(one_run(small, small_topics));
    large_ns.push_back(one_run(large, large_topics));
    ratios.push_back(large_ns.back() / small_ns.back());
  }
  using sluice::bench::median;
  std::printf("%-6s  10 rules: %6.1f ns (%5.2f M/s)   10,000 rules: %6.1f ns (%5.2f M/s)   ratio %.2f\n",
              name, median(small_ns), 1000 / median(small_ns), median(large_ns), 1000 / median(large_ns),
              median(ratios));
}

}  // namespace

int main() {
  const Rules small = make_table(10);
  const Rules large = make_table(10'000);
  compare("hot", small, make_topics(9), large, make_topics(9));
  compare("spread", small, make_topics(9), large, make_topics(9'999));
  return delivered == 0;
}
