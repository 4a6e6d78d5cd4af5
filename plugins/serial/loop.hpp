// SPDX-License-Identifier: Apache-2.0
//
// The work of one instance while its port is open: reads frames and emits them, polls the device, and writes what messages ask for.
// Lives for one run() and belongs to its thread. Waits in one place, by poll(2).
#pragma once

#include "framer.hpp"
#include "options.hpp"
#include "outbox.hpp"
#include "poller.hpp"
#include "port.hpp"
#include "writer.hpp"

#include <sluice/host.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace serial {

class Loop {
 public:
  // Opens the port. Throws PortError.
  Loop(sluice::Host host, const Options& options);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Until the instance is to end. Throws PortError when the device is gone; what was read until then has been emitted.
  void run();

 private:
  struct Ready {
    bool stop = false;
    bool messages = false;
    bool port = false;
  };

  void work();
  Ready wait();
  std::optional<std::int64_t> deadline_ns(std::int64_t now_ns) const;
  void read();
  void take_frames();
  void count_losses();
  void count_line_errors();
  void ask(std::int64_t now_ns);
  void take_messages();
  void complain(const std::string& text);

  const sluice::Host host_;
  const Options& options_;
  const sluice::Counter frames_;
  const sluice::Counter bytes_;
  const sluice::Counter bad_frames_;
  const sluice::Counter overflows_;
  const sluice::Counter incomplete_frames_;
  const sluice::Counter empty_frames_;
  const sluice::Counter line_errors_;
  const sluice::Counter poll_timeouts_;
  const sluice::Counter poll_overruns_;
  const sluice::Gauge connected_;
  Port port_;
  Writer writer_;
  Outbox outbox_;
  Framer framer_;
  std::optional<Poller> poller_;
  std::vector<Frame> ready_;          // cut, not yet decoded
  Framer::Losses counted_;            // what the counters have of framer_.losses()
  std::uint64_t counted_errors_ = 0;  // of port_.line_errors()
  bool silent_ = false;               // the last poll had no answer
  std::optional<std::int64_t> complained_ns_;
};

}  // namespace serial
