// SPDX-License-Identifier: Apache-2.0
#include "loop.hpp"

#include "escapes.hpp"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>

namespace serial {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t outbox_bytes = 1024 * 1024;
constexpr std::chrono::nanoseconds outbox_retry = 20ms;
constexpr std::chrono::nanoseconds complain_every = 60s;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Loop::Loop(sluice::Host host, const Options& options)
    : host_(host),
      options_(options),
      frames_(host.counter("frames")),
      bytes_(host.counter("bytes")),
      bad_frames_(host.counter("bad_frames")),
      overflows_(host.counter("overflows")),
      incomplete_frames_(host.counter("incomplete_frames")),
      empty_frames_(host.counter("empty_frames")),
      line_errors_(host.counter("line_errors")),
      poll_timeouts_(host.counter("poll_timeouts")),
      poll_overruns_(host.counter("poll_overruns")),
      connected_(host.gauge("connected")),
      port_(options.device, options.line),
      writer_(host, port_, options.write_timeout),
      outbox_(host, outbox_bytes),
      framer_(options.framer),
      counted_errors_(port_.line_errors()) {
  host_.counter("opened").add();
  connected_.set(1);
  host_.info("opened " + options_.device);
  for (const std::string& warning : port_.warnings()) host_.warn(warning);
  if (!options_.init.empty()) writer_.add(Write{options_.init, std::nullopt});
  if (!options_.poll.empty())
    poller_.emplace(now(), options_.poll_interval.count(), options_.poll_timeout.count());
}

Loop::~Loop() {
  connected_.set(0);
}

void Loop::run() {
  try {
    work();
  } catch (const PortError& gone) {
    framer_.abandon();
    count_losses();
    writer_.abandon(gone.what());
    outbox_.drain();
    throw;
  }
}

void Loop::work() {
  for (;;) {
    const Ready ready = wait();
    if (ready.stop) return;
    if (ready.port) {
      read();
    } else {
      framer_.expire(now(), ready_);
    }
    take_frames();
    count_losses();
    outbox_.flush();

    const std::int64_t now_ns = now();
    if (poller_ && poller_->expire(now_ns)) {
      ++poll_timeouts_;
      if (!silent_) host_.warn("no answer to the poll within poll_timeout");
      silent_ = true;
    }
    if (ready.messages) take_messages();
    if (poller_ && writer_.idle() && poller_->due(now_ns)) ask(now_ns);
    writer_.advance(now_ns);
  }
}

Loop::Ready Loop::wait() {
  // Messages are taken when they can be written: after those before them, and not into the answer to a poll.
  const bool may_write = writer_.idle() && !(poller_ && poller_->awaiting());
  const short port_events = writer_.wants_room() ? POLLIN | POLLOUT : POLLIN;
  std::array<pollfd, 3> all{{{host_.stop_fd(), POLLIN, 0},
                             {may_write ? host_.message_fd() : -1, POLLIN, 0},
                             {port_.fd(), port_events, 0}}};
  const std::int64_t now_ns = now();
  const std::optional<std::int64_t> deadline = deadline_ns(now_ns);
  const std::int64_t left = deadline ? std::max<std::int64_t>(*deadline - now_ns, 0) : 0;
  const timespec limit{static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
  if (::ppoll(all.data(), all.size(), deadline ? &limit : nullptr, nullptr) < 0) return {};
  return Ready{(all[0].revents & POLLIN) != 0, (all[1].revents & POLLIN) != 0,
               (all[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0};
}

std::optional<std::int64_t> Loop::deadline_ns(std::int64_t now_ns) const {
  std::optional<std::int64_t> earliest = framer_.deadline_ns();
  const auto at = [&](std::int64_t time_ns) { earliest = std::min(earliest.value_or(time_ns), time_ns); };
  if (!writer_.idle()) at(writer_.next_ns(now_ns));
  if (poller_ && (poller_->awaiting() || writer_.idle())) at(poller_->next_ns());
  if (outbox_.waiting()) at(now_ns + outbox_retry.count());
  return earliest;
}

void Loop::read() {
  std::array<char, 4096> chunk;
  const std::size_t count = port_.read(chunk.data(), chunk.size());
  const std::int64_t read_at_ns = now();
  framer_.feed(std::string_view(chunk.data(), count), read_at_ns, ready_);
  bytes_.add(static_cast<double>(count));
  count_line_errors();
}

void Loop::take_frames() {
  for (const Frame& frame : ready_) {
    sluice::Message message;
    try {
      decode(frame.bytes, options_.payload, options_.number, message);
      message.at_monotonic(frame.first_byte_ns);
      outbox_.add(std::move(message), frame.bytes.size());
      ++frames_;
    } catch (const std::invalid_argument& bad) {
      ++bad_frames_;
      complain(std::string("bad frame: ") + bad.what() + ": \"" +
               escape(std::string_view(frame.bytes).substr(0, 60)) + "\"");
    }
  }
  if (!ready_.empty() && poller_) {
    poller_->answered();
    if (silent_) host_.info("the device answers again");
    silent_ = false;
  }
  ready_.clear();
}

void Loop::count_losses() {
  const Framer::Losses& all = framer_.losses();
  if (all.overflows > counted_.overflows) {
    overflows_.add(static_cast<double>(all.overflows - counted_.overflows));
    complain("a frame longer than max_frame was dropped: are baud and framing right?");
  }
  if (all.incomplete > counted_.incomplete) {
    incomplete_frames_.add(static_cast<double>(all.incomplete - counted_.incomplete));
    complain("an unfinished frame was dropped");
  }
  if (all.empty > counted_.empty) empty_frames_.add(static_cast<double>(all.empty - counted_.empty));
  counted_ = all;
}

void Loop::count_line_errors() {
  const std::uint64_t all = port_.line_errors();
  if (all > counted_errors_) {
    line_errors_.add(static_cast<double>(all - counted_errors_));
    complain("the port reports parity, framing or overrun errors: are baud, data_bits and parity right?");
  }
  counted_errors_ = all;
}

void Loop::ask(std::int64_t now_ns) {
  writer_.add(Write{options_.poll, std::nullopt});
  poll_overruns_.add(static_cast<double>(poller_->asked(now_ns)));
}

void Loop::take_messages() {
  for (const sluice::ReceivedMessage& message : host_.receive(0ns)) {
    try {
      std::string bytes = encode(message) + options_.write_end;
      if (bytes.empty()) throw sluice::Refused("there is nothing to write");
      writer_.add(Write{std::move(bytes), message.token()});
    } catch (const sluice::Refused& never) {
      host_.refuse(message.token(), never.what());
    }
  }
}

void Loop::complain(const std::string& text) {
  const std::int64_t now_ns = now();
  if (complained_ns_ && now_ns - *complained_ns_ < complain_every.count()) return;
  complained_ns_ = now_ns;
  host_.warn(text + " (all are counted; said at most once a minute)");
}

}  // namespace serial
