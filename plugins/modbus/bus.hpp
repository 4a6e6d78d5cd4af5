// SPDX-License-Identifier: Apache-2.0
//
// The bus: reads all units once a cycle, on a schedule that does not drift, and writes what messages ask for between two
// requests. Belongs to the thread of the instance.
//
// No unit holds up the others: healthy ones are read first; of those that failed in their last cycle at least one is tried,
// and the others while there is time left in the cycle; of those that are put aside at most one, by a single request.
#pragma once

#include "link.hpp"
#include "options.hpp"
#include "unit.hpp"
#include "writes.hpp"

#include <sluice/host.hpp>

#include <memory>
#include <vector>

namespace sluice::modbus {

class Bus {
 public:
  Bus(Host host, const Options& options);
  // Until the instance is to end.
  void run();

 private:
  enum class Round : std::uint8_t { done, down, stopped };
  enum class Step : std::uint8_t { done, again, failed, down, stopped };

  bool wait_until(Clock::time_point time);
  void cycle(Clock::time_point end);
  Round read_unit(Unit& unit, unsigned retries);
  Step read_step(Unit& unit, std::size_t step, unsigned retries, std::string& error);
  void failed(Unit& unit, const std::string& error);
  void succeeded(Unit& unit);
  void skip(Unit& unit, const std::string& error);
  void note_link(const std::string& down_error);
  Unit* longest_due(Clock::time_point now);
  void count_aside();

  Host host_;
  const std::chrono::nanoseconds cycle_;
  const unsigned retries_;
  std::vector<std::unique_ptr<Unit>> units_;
  Exchange exchange_;
  Writes writes_;
  std::string down_error_;         // empty: the link works
  std::size_t first_suspect_ = 0;  // takes turns
  bool stopped_ = false;
  Counter overruns_;
  Counter cycles_;
  Gauge put_aside_;
};

}  // namespace sluice::modbus
