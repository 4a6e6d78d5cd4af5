// SPDX-License-Identifier: Apache-2.0
//
// The host that an instance under test sees: takes and keeps what it emits, hands out what the test sends, and refuses
// what the agent would refuse. Owned by test::Instance. Every function may be called by any thread.
#pragma once

#include <sluice/testing/recorded.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace test {

// A message that the test hands to the instance.
struct Handed {
  Handed(const Message& from, std::uint64_t token) : message(from), raw(message.raw()) { raw.token = token; }
  Handed(const Handed&) = delete;
  Handed& operator=(const Handed&) = delete;
  Message message;
  sluice_message raw;
};

class FakeHost {
 public:
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  FakeHost(const sluice_plugin& plugin, std::string name) : name_(std::move(name)) {
    for (const sluice_placeholder& one :
         abi::Array<sluice_placeholder>(abi::field(plugin, &sluice_plugin::placeholders))) {
      placeholders_.emplace(abi::view(one.name));
    }
    const bool takes = (abi::field(plugin, &sluice_plugin::roles) & SLUICE_TAKES) != 0;
    raw_.size = sizeof(raw_);
    raw_.self = this;
    raw_.stop_fd = event();
    raw_.message_fd = takes ? event() : -1;
    raw_.emit = &emit;
    raw_.emit_durable = &emit_durable;
    raw_.wait_room = &wait_room;
    raw_.receive = &receive;
    raw_.complete = &complete;
    raw_.log = &log;
    raw_.metric = &metric;
    raw_.record = &record;
    raw_.now = &now;
    raw_.name = abi::borrow(name_);
  }
  ~FakeHost() {
    ::close(raw_.stop_fd);
    if (raw_.message_fd >= 0) ::close(raw_.message_fd);
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  const sluice_host* raw() const noexcept { return &raw_; }

  // How many more messages emit takes before it answers FULL.
  void set_room(std::size_t messages) {
    const std::lock_guard lock(mutex_);
    room_ = messages;
    changed_.notify_all();
  }
  // From now on emit answers STOPPED, and stop_fd is readable.
  void stop() {
    const std::lock_guard lock(mutex_);
    if (!stopped_) raise(raw_.stop_fd);
    stopped_ = true;
    changed_.notify_all();
  }
  void set_now(Now now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
    clock_is_set_ = true;
  }

  // For handle(): hands it out at once; for receive(): puts it where that looks.
  std::shared_ptr<const Handed> hand_out(const Message& message) {
    const std::lock_guard lock(mutex_);
    auto handed = std::make_shared<Handed>(message, ++last_token_);
    outstanding_.insert(last_token_);
    return handed;
  }
  void queue(std::shared_ptr<const Handed> handed) {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() && raw_.message_fd >= 0) raise(raw_.message_fd);
    waiting_.push_back(std::move(handed));
    changed_.notify_all();
  }

  // Waits until `done` (called with the lock held, over the const members below) says so. False: time is up.
  template <class Done>
  bool wait(std::chrono::nanoseconds timeout, Done done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return done(*this); });
  }
  template <class Read>
  auto read(Read read) const {
    const std::lock_guard lock(mutex_);
    return read(*this);
  }
  template <class Write>
  void change(Write write) {
    const std::lock_guard lock(mutex_);
    write(*this);
    changed_.notify_all();
  }

  // guarded by the lock that wait, read and change hold
  std::vector<Emitted> emitted;
  std::vector<Completion> completions;
  std::vector<LogLine> log_lines;
  std::map<std::string, MetricRecord> metrics;
  bool ended = false;  // run, poll or handle failed, or run returned
  End end;

 private:
  static FakeHost& of(void* self) noexcept { return *static_cast<FakeHost*>(self); }

  static int event() {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    return fd;
  }
  static void raise(int fd) {
    if (::eventfd_write(fd, 1) != 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  // Why the agent would refuse it; empty where it would not.
  std::string broken_rule(const ReceivedMessage& message) const {
    if (message.raw().size == 0) return "a message without size";
    if (abi::field(message.raw(), &sluice_message::time_kind) > SLUICE_TIME_HOST_MONOTONIC)
      return "an unknown kind of time";
    if (!message.has_payload() && message.samples().empty()) return "a message without samples and payload";
    for (const Property& pair : message.placeholders()) {
      if (placeholders_.count(std::string(pair.name)) == 0) {
        return "the placeholder \"" + std::string(pair.name) + "\", which is not declared";
      }
    }
    std::set<std::string_view> names;
    for (const SampleView& sample : message.samples()) {
      const std::string_view name = sample.name();
      for (const char* taken : {"ts", "quality", "error", "id", "time", "encoding", "replayed"}) {
        if (name == taken)
          return "the sample name \"" + std::string(name) + "\", which means something else in JSON";
      }
      if (!names.insert(name).second) return "two samples named \"" + std::string(name) + "\"";
      if (sample.quality() > Quality::Bad) return "an unknown quality";
    }
    if (names.size() > 1 && names.count("") > 0) return "a sample without name beside others";
    return std::string();
  }

  sluice_status take(sluice_array messages, std::size_t* accepted, const std::uint64_t* cookie) {
    const std::lock_guard lock(mutex_);
    if (accepted != nullptr) *accepted = 0;
    if (stopped_) return SLUICE_STOPPED;
    const Messages all(messages);
    if (cookie != nullptr && room_ < all.size()) return SLUICE_FULL;
    std::vector<Emitted> fresh;
    sluice_status status = SLUICE_OK;
    for (const ReceivedMessage& message : all) {
      const std::string problem = broken_rule(message);
      if (!problem.empty()) {
        log_lines.push_back(LogLine{Level::Error, "emit: refused: " + problem});
        status = SLUICE_INVALID;
      } else if (room_ == fresh.size()) {
        status = SLUICE_FULL;
      }
      if (status != SLUICE_OK) break;
      fresh.emplace_back(message);
      if (cookie != nullptr) fresh.back().cookie = *cookie;
    }
    if (cookie != nullptr && status != SLUICE_OK) fresh.clear();
    if (room_ != unlimited) room_ -= fresh.size();
    if (accepted != nullptr) *accepted = fresh.size();
    for (Emitted& one : fresh) emitted.push_back(std::move(one));
    changed_.notify_all();
    return status;
  }

  static sluice_status emit(void* self, sluice_array messages, std::size_t* accepted) {
    return of(self).take(messages, accepted, nullptr);
  }
  static sluice_status emit_durable(void* self, sluice_array messages, std::uint64_t cookie) {
    return of(self).take(messages, nullptr, &cookie);
  }

  // Until `ready`, called with the lock held; a negative time waits without limit.
  template <class Ready>
  void wait_until(std::unique_lock<std::mutex>& lock, std::int64_t timeout_ns, Ready ready) {
    if (timeout_ns < 0) {
      changed_.wait(lock, ready);
    } else {
      changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), ready);
    }
  }

  static sluice_status wait_room(void* self, std::int64_t timeout_ns) {
    FakeHost& host = of(self);
    std::unique_lock lock(host.mutex_);
    host.wait_until(lock, timeout_ns, [&] { return host.stopped_ || host.room_ > 0; });
    if (host.stopped_) return SLUICE_STOPPED;
    return host.room_ > 0 ? SLUICE_OK : SLUICE_TIMEOUT;
  }

  static sluice_status receive(void* self, const sluice_message** messages, std::size_t capacity,
                               std::size_t* count, std::int64_t timeout_ns) {
    FakeHost& host = of(self);
    std::unique_lock lock(host.mutex_);
    *count = 0;
    host.lent_.clear();
    host.wait_until(lock, timeout_ns, [&] { return host.stopped_ || !host.waiting_.empty(); });
    if (host.stopped_) return SLUICE_STOPPED;
    while (*count < capacity && !host.waiting_.empty()) {
      messages[(*count)++] = &host.waiting_.front()->raw;
      host.lent_.push_back(std::move(host.waiting_.front()));
      host.waiting_.pop_front();
    }
    if (*count == 0) return SLUICE_TIMEOUT;
    eventfd_t ignored = 0;
    if (host.waiting_.empty() && host.raw_.message_fd >= 0) ::eventfd_read(host.raw_.message_fd, &ignored);
    return SLUICE_OK;
  }

  static sluice_status complete(void* self, const sluice_completion* raw) {
    FakeHost& host = of(self);
    const std::lock_guard lock(host.mutex_);
    Completion made;
    made.token = abi::field(*raw, &sluice_completion::token);
    made.outcome = static_cast<Outcome>(abi::field(*raw, &sluice_completion::outcome));
    made.retry_after = std::chrono::nanoseconds(abi::field(*raw, &sluice_completion::retry_after_ns));
    made.text = std::string(abi::view(abi::field(*raw, &sluice_completion::text)));
    sluice_message samples{};
    samples.size = sizeof(samples);
    samples.samples = abi::field(*raw, &sluice_completion::samples);
    made.samples = Emitted(ReceivedMessage(samples)).samples;
    if (made.outcome > Outcome::Refused || host.outstanding_.erase(made.token) == 0) {
      host.log_lines.push_back(
          LogLine{Level::Error, "complete: refused: an unknown outcome, or a token that is not outstanding"});
      return SLUICE_INVALID;
    }
    host.completions.push_back(std::move(made));
    host.changed_.notify_all();
    return SLUICE_OK;
  }

  static void log(void* self, std::int32_t level, sluice_str text) {
    of(self).change([&](FakeHost& host) {
      host.log_lines.push_back(LogLine{static_cast<Level>(level), std::string(abi::view(text))});
    });
  }

  static sluice_metric* metric(void* self, std::uint32_t kind, sluice_str name) {
    const std::string text(abi::view(name));
    if (kind < SLUICE_COUNTER || kind > SLUICE_HISTOGRAM || text.empty() ||
        text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
      return nullptr;
    }
    FakeHost& host = of(self);
    const std::lock_guard lock(host.mutex_);
    MetricRecord& found = host.metrics[text];  // a std::map: stays where it is
    found.kind = kind;
    return reinterpret_cast<sluice_metric*>(&found);
  }
  static void record(void* self, sluice_metric* metric, double value) {
    of(self).change([&](FakeHost&) {
      auto* found = reinterpret_cast<MetricRecord*>(metric);
      if (found->kind == SLUICE_HISTOGRAM) found->recorded.push_back(value);
      found->value =
          found->kind == SLUICE_GAUGE ? value : found->value + (found->kind == SLUICE_COUNTER ? value : 1);
    });
  }

  static void now(void* self, std::int64_t* wall_ns, std::int64_t* monotonic_ns) {
    FakeHost& host = of(self);
    const std::lock_guard lock(host.mutex_);
    using std::chrono::nanoseconds;
    const auto ns = [](auto time) {
      return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
    };
    *wall_ns = host.clock_is_set_ ? host.now_.wall_ns : ns(std::chrono::system_clock::now());
    *monotonic_ns = host.clock_is_set_ ? host.now_.monotonic_ns : ns(std::chrono::steady_clock::now());
  }

  const std::string name_;
  std::set<std::string> placeholders_;
  sluice_host raw_{};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  bool stopped_ = false;
  std::size_t room_ = unlimited;
  std::uint64_t last_token_ = 0;
  std::set<std::uint64_t> outstanding_;
  std::deque<std::shared_ptr<const Handed>> waiting_;
  std::vector<std::shared_ptr<const Handed>> lent_;  // until the next receive
  bool clock_is_set_ = false;
  Now now_;
};

}  // namespace test
}  // namespace v1
}  // namespace sluice
