// SPDX-License-Identifier: Apache-2.0
//
// What is to be written to a port, one after the other, without ever waiting: each write is done when its last byte has
// left the port, and fails when that takes longer than the time-out. Messages are answered here: done; retry, where no byte of
// it was sent; refused, where a part was, since sending it again would repeat that part. Owned by the loop of one instance.
#pragma once

#include "port.hpp"

#include <sluice/host.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace serial {

struct Write {
  std::string bytes;                   // one at least
  std::optional<std::uint64_t> token;  // of the message that asked for it
};

class Writer {
 public:
  // Counts in the host's `written_bytes` and `write_errors`. The port outlives the writer.
  Writer(sluice::Host host, Port& port, std::chrono::nanoseconds timeout);
  // Answers what is left with abandon().
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void add(Write write) { writes_.push_back(std::move(write)); }
  bool idle() const { return writes_.empty(); }
  // Should advance() be called once the port takes bytes?
  bool wants_room() const { return !idle() && sent_ < writes_.front().bytes.size(); }
  // When advance() is to be called in any case. Only while not idle.
  std::int64_t next_ns(std::int64_t now_ns) const;

  // Writes what the port takes. Throws PortError where it is gone.
  void advance(std::int64_t now_ns);
  // The port is gone, or the instance ends: answers all that is left.
  void abandon(const std::string& why) noexcept;

 private:
  void finish();
  void fail(const std::string& why);

  const sluice::Host host_;
  Port& port_;
  const std::int64_t timeout_ns_;
  const sluice::Counter written_;
  const sluice::Counter errors_;
  std::deque<Write> writes_;  // the first is under way, once begun_
  bool begun_ = false;
  std::int64_t deadline_ns_ = 0;
  std::size_t sent_ = 0;  // bytes of the first that the kernel has taken
};

}  // namespace serial
