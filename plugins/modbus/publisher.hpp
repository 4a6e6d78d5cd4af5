// SPDX-License-Identifier: Apache-2.0
//
// What the tags of one unit gave in a cycle, as messages. Every tag gets exactly one outcome a cycle: a value, an error of
// its own, or the error of its unit. Belongs to the thread of the instance.
#pragma once

#include "codec.hpp"
#include "options.hpp"

#include <sluice/host.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::modbus {

class Publisher {
 public:
  // `unit` must outlive it.
  Publisher(Host host, const UnitOptions& unit, PublishErrors errors);

  void begin_cycle();
  void value(std::size_t tag, const Decoded& decoded, std::chrono::steady_clock::time_point time);
  void bad(std::size_t tag, std::string_view error);
  // Emits what there is; of a group nothing before the end of the cycle. False: the instance is to end.
  bool flush();
  // The tags that had nothing in this cycle get that error.
  bool end_cycle(std::string_view error);

 private:
  struct State {
    bool seen = false;
    bool bad = false;
    bool changed = false;
    std::string error;
  };

  void note(std::size_t tag, std::string_view error);
  Message& next();
  void add_group();

  Host host_;
  const UnitOptions& unit_;
  const PublishErrors errors_;
  std::vector<State> states_;
  std::vector<Sample> group_;  // by tag
  std::chrono::steady_clock::time_point group_time_{};
  std::vector<Message> messages_;  // used again and again, so that they keep their memory
  std::size_t used_ = 0;
};

}  // namespace sluice::modbus
