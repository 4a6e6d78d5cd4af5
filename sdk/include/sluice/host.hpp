// SPDX-License-Identifier: Apache-2.0
//
// The agent, as an instance sees it. A small handle: copy it freely, keep it as a member. It stays valid
// until the instance has been destroyed. Every function may be called by any thread, but receive, which
// belongs to the thread that run() is on.
#pragma once

#include <sluice/message.hpp>
#include <sluice/received.hpp>

#include <poll.h>
#include <time.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

enum class Status : std::int32_t {
  Ok = SLUICE_OK,
  Full = SLUICE_FULL,        // no room now: nothing more was taken
  Stopped = SLUICE_STOPPED,  // the instance is to end
  Timeout = SLUICE_TIMEOUT,
  Invalid = SLUICE_INVALID,  // an argument breaks a rule; the agent's log says which
  Failed = SLUICE_FAILED
};

enum class Level : std::int32_t {
  Trace = SLUICE_LOG_TRACE,
  Debug = SLUICE_LOG_DEBUG,
  Info = SLUICE_LOG_INFO,
  Warn = SLUICE_LOG_WARN,
  Error = SLUICE_LOG_ERROR
};

// For time-outs: wait without limit.
inline constexpr std::chrono::nanoseconds forever{-1};

// Thrown while a message is handled (handle, Host::answer): hand it out again after that time.
struct Retry : std::runtime_error {
  Retry(std::chrono::nanoseconds after_, const std::string& why) : std::runtime_error(why), after(after_) {}
  std::chrono::nanoseconds after;
};

// Thrown while a message is handled: it can never work, and `why` goes to whoever sent it.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A metric of the instance. Copyable; valid as long as the Host it came from.
class Metric {
 public:
  Metric() = default;
  Metric(const sluice_host* host, std::uint32_t kind, std::string_view name) : host_(host) {
    if (SLUICE_HAS(host, metric)) metric_ = host->metric(host->self, kind, abi::borrow(name));
  }

 protected:
  void record_value(double value) const noexcept {
    if (metric_ != nullptr && SLUICE_HAS(host_, record)) host_->record(host_->self, metric_, value);
  }

 private:
  const sluice_host* host_ = nullptr;
  sluice_metric* metric_ = nullptr;
};

class Counter : public Metric {
 public:
  using Metric::Metric;
  void add(double count = 1) const noexcept { record_value(count); }  // never negative
  void operator++() const noexcept { record_value(1); }
};

class Gauge : public Metric {
 public:
  using Metric::Metric;
  void set(double value) const noexcept { record_value(value); }
};

class Histogram : public Metric {
 public:
  using Metric::Metric;
  void record(double value) const noexcept { record_value(value); }
  void record(std::chrono::nanoseconds time) const noexcept {
    record_value(std::chrono::duration<double>(time).count());
  }
};

struct Now {
  std::int64_t wall_ns = 0;       // since 1970 UTC
  std::int64_t monotonic_ns = 0;  // CLOCK_MONOTONIC
};

// Why wait() ended; several may be true. None: the time is up.
struct Wake {
  bool stopping = false;
  bool messages = false;  // receive() has some
  short events = 0;       // of the descriptor that was waited for: POLLIN, POLLHUP, ...
};

class Host {
 public:
  explicit Host(const sluice_host* raw) noexcept : raw_(raw) {}

  // ---- Messages out

  // Hands over one message or many, and never waits. `accepted` says how many were taken, from the first.
  Status emit(MessageSpan messages, std::size_t* accepted = nullptr) const noexcept {
    std::size_t taken = 0;
    const Status status = SLUICE_HAS(raw_, emit)
                              ? static_cast<Status>(raw_->emit(raw_->self, messages.raw(), &taken))
                              : Status::Invalid;
    if (accepted != nullptr) *accepted = taken;
    return status;
  }
  // The same, but waits for room. False: the instance is to end, and not all were taken. Throws
  // std::invalid_argument for a message that breaks a rule.
  bool emit_waiting(MessageSpan messages) const {
    for (;;) {
      std::size_t taken = 0;
      switch (emit(messages, &taken)) {
        case Status::Ok:
          return true;
        case Status::Full:
          messages = messages.from(taken);
          if (!wait_room()) return false;
          break;
        case Status::Stopped:
          return false;
        default:
          throw std::invalid_argument("the agent refused a message as invalid; its log says why");
      }
    }
  }
  // All or none; committed(cookie, ok) of the instance is called once, when all are safe.
  Status emit_durable(MessageSpan messages, std::uint64_t cookie) const noexcept {
    if (!SLUICE_HAS(raw_, emit_durable)) return Status::Invalid;
    return static_cast<Status>(raw_->emit_durable(raw_->self, messages.raw(), cookie));
  }

  // ---- Messages in

  // The next messages, up to Received::capacity. Zero does not wait.
  Received receive(std::chrono::nanoseconds timeout) const noexcept {
    Received out;
    if (!SLUICE_HAS(raw_, receive)) {
      out.stopped_ = !wait(timeout);
      return out;
    }
    const sluice_status status =
        raw_->receive(raw_->self, out.messages_.data(), Received::capacity, &out.count_, timeout.count());
    if (status != SLUICE_OK) out.count_ = 0;
    out.stopped_ = status == SLUICE_STOPPED;
    return out;
  }
  // Each message that was handed out is answered once. These answer false where the agent no longer waits for
  // it.
  bool complete(std::uint64_t token) const noexcept { return finish(token, SLUICE_DONE, {}, 0, nullptr); }
  // With a result: its samples go to the response topic, where the message has one.
  bool complete(std::uint64_t token, const Message& result) const noexcept {
    return finish(token, SLUICE_DONE, {}, 0, &result);
  }
  bool retry(std::uint64_t token, std::chrono::nanoseconds after, std::string_view why) const noexcept {
    return finish(token, SLUICE_RETRY, why, after.count(), nullptr);
  }
  bool refuse(std::uint64_t token, std::string_view why) const noexcept {
    return finish(token, SLUICE_REFUSED, why, 0, nullptr);
  }
  // Runs `work`, which returns nothing or a Message with the result, and answers the message: done, or what a
  // Retry or Refused says that it throws. Other exceptions pass through, and leave the message unanswered.
  template <class Work>
  void answer(const ReceivedMessage& message, Work&& work) const {
    const std::uint64_t token = message.token();
    try {
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        complete(token);
      } else {
        complete(token, work());
      }
    } catch (const Retry& again) {
      retry(token, again.after, again.what());
    } catch (const Refused& never) {
      refuse(token, never.what());
    }
  }

  // ---- Waiting

  bool stopping() const noexcept { return wait(std::chrono::nanoseconds(0), -1, 0).stopping; }
  // Sleeps. False: the instance is to end, at once or while it slept.
  bool wait(std::chrono::nanoseconds duration) const noexcept {
    ::pollfd stop{stop_fd(), POLLIN, 0};
    poll_until(&stop, 1, duration);
    return (stop.revents & POLLIN) == 0;
  }
  // Waits for whatever comes first: the end, a message, something at `fd` (-1: none), or the time-out.
  Wake wait(std::chrono::nanoseconds timeout, int fd, short events = POLLIN) const noexcept {
    ::pollfd all[] = {{stop_fd(), POLLIN, 0}, {message_fd(), POLLIN, 0}, {fd, events, 0}};
    poll_until(all, 3, timeout);
    return Wake{(all[0].revents & POLLIN) != 0, (all[1].revents & POLLIN) != 0, all[2].revents};
  }
  // For poll(2): readable once the instance is to end, or while messages wait. Do not read from them. -1:
  // never.
  int stop_fd() const noexcept { return SLUICE_HAS(raw_, stop_fd) ? raw_->stop_fd : -1; }
  int message_fd() const noexcept {
    return raw_->size >= offsetof(sluice_host, message_fd) + sizeof(int) ? raw_->message_fd : -1;
  }

  // ---- Log, metrics, clock

  void log(Level level, std::string_view text) const noexcept {
    if (SLUICE_HAS(raw_, log)) raw_->log(raw_->self, static_cast<std::int32_t>(level), abi::borrow(text));
  }
  void trace(std::string_view text) const noexcept { log(Level::Trace, text); }
  void debug(std::string_view text) const noexcept { log(Level::Debug, text); }
  void info(std::string_view text) const noexcept { log(Level::Info, text); }
  void warn(std::string_view text) const noexcept { log(Level::Warn, text); }
  void error(std::string_view text) const noexcept { log(Level::Error, text); }

  // By name ([a-z0-9_]+), made at the first call. Ask once, and keep the handle: it is cheap to use.
  Counter counter(std::string_view name) const { return Counter(raw_, SLUICE_COUNTER, name); }
  Gauge gauge(std::string_view name) const { return Gauge(raw_, SLUICE_GAUGE, name); }
  Histogram histogram(std::string_view name) const { return Histogram(raw_, SLUICE_HISTOGRAM, name); }

  Now now() const noexcept {
    Now now;
    if (SLUICE_HAS(raw_, now)) raw_->now(raw_->self, &now.wall_ns, &now.monotonic_ns);
    return now;
  }
  // The instance's name in the configuration.
  std::string_view name() const noexcept { return abi::view(abi::field(*raw_, &sluice_host::name)); }

  const sluice_host* raw() const noexcept { return raw_; }

 private:
  bool wait_room() const noexcept {
    if (!SLUICE_HAS(raw_, wait_room)) return wait(std::chrono::milliseconds(10));
    return raw_->wait_room(raw_->self, -1) != SLUICE_STOPPED;
  }

  bool finish(std::uint64_t token, std::uint32_t outcome, std::string_view text, std::int64_t retry_after_ns,
              const Message* result) const noexcept {
    if (!SLUICE_HAS(raw_, complete)) return false;
    sluice_completion completion{};
    completion.size = sizeof(completion);
    completion.token = token;
    completion.outcome = outcome;
    completion.retry_after_ns = retry_after_ns;
    completion.text = abi::borrow(text);
    if (result != nullptr) completion.samples = result->raw().samples;
    return raw_->complete(raw_->self, &completion) == SLUICE_OK;
  }

  // poll(2) with a time-out that a signal does not prolong. Negative: without limit.
  static void poll_until(::pollfd* fds, ::nfds_t count, std::chrono::nanoseconds timeout) noexcept {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    for (;;) {
      std::chrono::nanoseconds left = timeout - (Clock::now() - start);
      if (left < std::chrono::nanoseconds(0)) left = std::chrono::nanoseconds(0);
      const ::timespec limit{static_cast<::time_t>(left.count() / 1'000'000'000),
                             static_cast<long>(left.count() % 1'000'000'000)};
      const int ready =
          ::ppoll(fds, count, timeout < std::chrono::nanoseconds(0) ? nullptr : &limit, nullptr);
      if (ready >= 0 || errno != EINTR) return;
      for (::nfds_t i = 0; i < count; ++i) fds[i].revents = 0;
    }
  }

  const sluice_host* raw_;
};

}  // namespace v1
}  // namespace sluice
