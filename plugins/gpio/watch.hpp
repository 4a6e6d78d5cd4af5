// SPDX-License-Identifier: Apache-2.0
//
// The lines of one chip at work: publishes their state and edges, and sets what messages ask for. Belongs to the thread of
// the instance. Where chip or line cannot be had, or the chip goes away, it throws, and the agent begins anew after a pause.
#pragma once

#include "chip.hpp"
#include "command.hpp"
#include "debounce.hpp"
#include "options.hpp"

#include <sluice/host.hpp>

#include <optional>
#include <string>
#include <vector>

namespace sluice::gpio {

class Watch {
 public:
  // `options` and `kernel` must outlive it.
  Watch(Host host, const Options& options, Kernel& kernel);
  // Until the instance is to end.
  void run();

 private:
  // A requested line.
  struct Line {
    const LineOptions* options;
    std::size_t group;
    std::uint64_t bit;  // in the masks of its group
    std::uint32_t offset;
    std::uint32_t seen = 0;      // the sequence number of its last edge
    std::uint64_t lost = 0;      // edges, not yet published
    std::optional<bool> rising;  // its last edge
    std::optional<Debounce> debounce;
  };

  void request();
  void loop();
  bool wait_and_work(std::int64_t& next_state_ns);
  std::int64_t next_deadline_ns(std::int64_t next_state_ns) const;
  void read_edges(std::size_t group);
  void take_edge(Line& line, const ::gpio_v2_line_event& event);
  std::uint64_t merged_before(Line& line, bool rising, std::uint32_t lost);
  void look_at_debounced(std::int64_t now_ns);
  void look_at_chip(std::int64_t now_ns);
  void publish_edge(Line& line, bool value, std::int64_t time_ns, std::uint32_t sequence);
  void publish_states();
  void publish_state(const Line& line, bool value, std::int64_t time_ns);
  void publish_gone(const std::string& why);
  void report_lost(const Line& line, std::uint32_t count, std::int64_t now_ns);
  bool value_of(const Line& line) const;
  void obey();
  Message obey(const ReceivedMessage& message);
  Line& target(const Command& command, std::string_view topic);
  void leave_outputs();
  void emit(const Message& message);

  Host host_;
  const Options& options_;
  Kernel& kernel_;
  std::vector<Lines> groups_;
  std::vector<Line> lines_;
  File poll_;  // an epoll of all groups
  std::string chip_name_;
  bool stopped_ = false;
  std::int64_t next_look_ns_ = 0;
  std::int64_t last_loss_report_ns_ = 0;
  std::uint64_t unreported_losses_ = 0;
  Counter edges_;
  Counter lost_edges_;
  Counter merged_edges_;
  Counter bounces_;
  Counter sets_;
  Counter refused_;
};

}  // namespace sluice::gpio
