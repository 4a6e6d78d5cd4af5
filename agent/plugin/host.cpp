// SPDX-License-Identifier: Apache-2.0
#include "plugin/host.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <limits>
#include <vector>

#include "plugin/abi.hpp"
#include "plugin/text.hpp"

namespace sluice::plugin {
namespace {

// How long wait_room may take to notice a stop: the agent's own waiting cannot be interrupted.
constexpr Nanoseconds wait_slice = std::chrono::milliseconds(50);

std::string scope_of(const InstanceOptions& options) {
  return (options.is_input ? "input." : "output.") + options.name;
}

std::chrono::steady_clock::time_point deadline_after(std::int64_t timeout_ns) {
  constexpr auto for_ever = std::chrono::steady_clock::time_point::max();
  const auto now = std::chrono::steady_clock::now();
  const Nanoseconds timeout(timeout_ns);
  return timeout_ns < 0 || timeout > for_ever - now ? for_ever : now + timeout;
}

Level to_level(std::int32_t level) {
  return static_cast<Level>(std::clamp<std::int32_t>(level, SLUICE_LOG_TRACE, SLUICE_LOG_ERROR));
}

Nanoseconds system_time(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + Nanoseconds(now.tv_nsec);
}

}  // namespace

Host::Counters::Counters(Metrics& metrics, const std::string& scope)
    : emitted(metrics.counter(scope, "emitted")),
      full(metrics.counter(scope, "full")),
      invalid(metrics.counter(scope, "invalid")),
      received(metrics.counter(scope, "received")),
      completed(metrics.counter(scope, "completed")),
      refused(metrics.counter(scope, "refused")),
      retried(metrics.counter(scope, "retried")),
      timed_out(metrics.counter(scope, "timed_out")),
      late(metrics.counter(scope, "late")),
      overruns(metrics.counter(scope, "overruns")),
      restarts(metrics.counter(scope, "restarts")) {}

Host::Host(const Library& library, const InstanceOptions& options, Upstream& upstream, const Clock& clock,
           Metrics& metrics, Log log)
    : name_(options.name),
      may_emit_(library.emits()),
      may_receive_(library.takes() && library.descriptor().run != nullptr),
      upstream_(upstream),
      clock_(clock),
      log_(std::move(log)),
      converter_(
          TopicTemplate(options.topic_template, options.agent_id, options.name, library.placeholders()),
          options.name),
      counters_(metrics, scope_of(options)),
      own_metrics_(metrics, scope_of(options) + ".plugin"),
      inbox_(clock, options.mailbox_messages, options.mailbox_bytes, options.complete_within),
      abi_(make_abi(*this)) {}

template <typename F>
sluice_status Host::guarded(void* self, const char* function, F&& body) noexcept {
  Host& host = *static_cast<Host*>(self);
  const Gate::Pass pass(host.gate_);
  if (!pass) return SLUICE_STOPPED;
  try {
    return body(host);
  } catch (const std::exception& error) {
    host.log(Level::error, std::string(function) + " failed: " + error.what());
  } catch (...) {
    host.log(Level::error, std::string(function) + " failed");
  }
  return SLUICE_FAILED;
}

sluice_host Host::make_abi(Host& host) {
  sluice_host abi{};
  abi.size = sizeof abi;
  abi.self = &host;
  abi.stop_fd = host.stop_event_.fd();
  abi.message_fd = host.may_receive_ ? host.inbox_.fd() : -1;
  abi.name = span(host.name_);
  abi.emit = [](void* self, sluice_array messages, std::size_t* accepted) noexcept {
    if (accepted != nullptr) *accepted = 0;
    return guarded(self, "emit", [&](Host& h) { return h.emit(messages, accepted); });
  };
  abi.emit_durable = [](void* self, sluice_array messages, std::uint64_t cookie) noexcept {
    return guarded(self, "emit_durable", [&](Host& h) { return h.emit_durable(messages, cookie); });
  };
  abi.wait_room = [](void* self, std::int64_t timeout_ns) noexcept {
    return guarded(self, "wait_room", [&](Host& h) { return h.wait_room(timeout_ns); });
  };
  abi.receive = [](void* self, const sluice_message** messages, std::size_t capacity, std::size_t* count,
                   std::int64_t timeout_ns) noexcept {
    if (count != nullptr) *count = 0;
    return guarded(self, "receive",
                   [&](Host& h) { return h.receive(messages, capacity, count, timeout_ns); });
  };
  abi.complete = [](void* self, const sluice_completion* completion) noexcept {
    return guarded(self, "complete", [&](Host& h) { return h.complete(completion); });
  };
  abi.log = [](void* self, std::int32_t level, sluice_str text) noexcept {
    if (readable(text)) static_cast<Host*>(self)->log(to_level(level), view(text));
  };
  abi.metric = [](void* self, std::uint32_t kind, sluice_str name) noexcept {
    sluice_metric* made = nullptr;
    guarded(self, "metric",
            [&](Host& h) { return h.refuse_if("metric", h.own_metrics_.make(kind, name, made)); });
    return made;
  };
  abi.record = [](void* self, sluice_metric* metric, double value) noexcept {
    guarded(self, "record",
            [&](Host& h) { return h.refuse_if("record", OwnMetrics::record(metric, value)); });
  };
  abi.now = [](void* self, std::int64_t* wall_ns, std::int64_t* monotonic_ns) noexcept {
    Host& h = *static_cast<Host*>(self);
    const Gate::Pass pass(h.gate_);
    if (wall_ns != nullptr) *wall_ns = (pass ? h.clock_.wall() : system_time(CLOCK_REALTIME)).count();
    if (monotonic_ns != nullptr) {
      *monotonic_ns = (pass ? h.clock_.monotonic() : system_time(CLOCK_MONOTONIC)).count();
    }
  };
  return abi;
}

Stamp Host::stamp() const {
  const Instant now = instant(clock_);
  return {now.wall.count(), now.monotonic.count(), clock_.boot()};
}

sluice_status Host::refuse(const char* function, const Fault& fault) {
  counters_.invalid.add();
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = reported_.emplace(fault.field, fault.rule).second;
  }
  if (first) {
    log_.warn("{}: {}; the plugin breaks a rule of plugin.h, and more of this kind are only counted",
              function, tidy(to_string(fault)));
  }
  return SLUICE_INVALID;
}

sluice_status Host::refuse_if(const char* function, const Fault& fault) {
  return fault ? refuse(function, fault) : SLUICE_OK;
}

sluice_status Host::refuse_message(const char* function, Fault fault, std::size_t index) {
  fault.where = fmt::format("message {}{}{}", index, fault.where.empty() ? "" : ": ", fault.where);
  return refuse(function, fault);
}

Fault Host::convert(const sluice_array& messages, std::size_t index, const Stamp& now,
                    Message& message) const {
  sluice_message room;
  const sluice_message* emitted = element(messages, index, room);
  if (emitted == nullptr) return {"it", "has a size that is not within its stride", {}};
  return converter_.convert(*emitted, now, message);
}

bool Host::emits(const char* function) {
  if (may_emit_) return true;
  refuse(function, {"roles", "do not say that the plugin emits", {}});
  return false;
}

sluice_status Host::emit(const sluice_array& messages, std::size_t* accepted) {
  if (stopping_) return SLUICE_STOPPED;
  if (!emits("emit")) return SLUICE_INVALID;
  if (const char* fault = array_fault<sluice_message>(messages))
    return refuse("emit", {"messages", fault, {}});
  const Stamp now = stamp();
  for (std::size_t i = 0; i < messages.count; ++i) {
    Message message;
    if (Fault fault = convert(messages, i, now, message)) return refuse_message("emit", std::move(fault), i);
    switch (upstream_.accept(std::move(message), nullptr)) {
      case Push::ok:
        break;
      case Push::full:
        counters_.full.add();
        return SLUICE_FULL;
      case Push::closed:
        return SLUICE_STOPPED;
    }
    counters_.emitted.add();
    if (accepted != nullptr) *accepted = i + 1;
  }
  return SLUICE_OK;
}

sluice_status Host::emit_durable(const sluice_array& array, std::uint64_t cookie) {
  if (stopping_) return SLUICE_STOPPED;
  if (!emits("emit_durable")) return SLUICE_INVALID;
  if (const char* fault = array_fault<sluice_message>(array))
    return refuse("emit_durable", {"messages", fault, {}});
  const Stamp now = stamp();
  std::vector<Message> messages;
  messages.reserve(array.count);
  for (std::size_t i = 0; i < array.count; ++i) {
    if (Fault fault = convert(array, i, now, messages.emplace_back())) {
      return refuse_message("emit_durable", std::move(fault), i);
    }
  }
  std::shared_ptr<Incarnation> incarnation;
  {
    const std::lock_guard lock(mutex_);
    incarnation = incarnation_;
  }
  std::shared_ptr<void> expected = incarnation ? incarnation->expect(cookie) : nullptr;
  if (!expected)
    return refuse("emit_durable", {"committed", "is not there to answer, or create has not returned", {}});
  const Push pushed = [&] {
    try {
      return upstream_.accept_all(std::move(messages), expected);
    } catch (...) {
      incarnation->forget(expected);
      throw;
    }
  }();
  if (pushed == Push::ok) {
    counters_.emitted.add(array.count);
    return SLUICE_OK;
  }
  incarnation->forget(expected);
  if (pushed == Push::closed) return SLUICE_STOPPED;
  counters_.full.add();
  return SLUICE_FULL;
}

sluice_status Host::wait_room(std::int64_t timeout_ns) {
  const auto deadline = deadline_after(timeout_ns);
  while (!stopping_) {
    const Nanoseconds left = deadline - std::chrono::steady_clock::now();
    if (upstream_.wait_room(std::clamp(left, Nanoseconds(0), wait_slice))) {
      return stopping_ ? SLUICE_STOPPED : SLUICE_OK;
    }
    if (left <= Nanoseconds(0)) return stopping_ ? SLUICE_STOPPED : SLUICE_TIMEOUT;
  }
  return SLUICE_STOPPED;
}

sluice_status Host::next(HandedOut& messages, std::size_t max, std::int64_t timeout_ns) {
  const Gate::Pass pass(gate_);
  if (!pass) return SLUICE_STOPPED;
  const auto deadline = deadline_after(timeout_ns);
  while (!stopping_) {
    expire();
    messages.assign(inbox_.take(max));
    if (messages.size() > 0) {
      counters_.received.add(messages.size());
      return SLUICE_OK;
    }
    const Nanoseconds left = deadline - std::chrono::steady_clock::now();
    if (left <= Nanoseconds(0)) return SLUICE_TIMEOUT;
    inbox_.wait(left);
  }
  return SLUICE_STOPPED;
}

sluice_status Host::receive(const sluice_message** messages, std::size_t capacity, std::size_t* count,
                            std::int64_t timeout_ns) {
  if (!may_receive_)
    return refuse("receive", {"receive", "is for plugins with `run` that take messages", {}});
  if (messages == nullptr || count == nullptr || capacity == 0) {
    return refuse("receive", {"messages", "or count is NULL, or capacity is 0", {}});
  }
  const sluice_status status = next(received_, capacity, timeout_ns);
  if (status != SLUICE_OK) return status;
  *count = received_.size();
  for (std::size_t i = 0; i < *count; ++i) messages[i] = received_.at(i);
  return SLUICE_OK;
}

sluice_status Host::settle(Inbox::Answer answer, const char* function) {
  switch (answer) {
    case Inbox::Answer::taken:
      return SLUICE_OK;
    case Inbox::Answer::late:
      counters_.late.add();
      return SLUICE_OK;
    case Inbox::Answer::unknown:
      return refuse(function, {"token", "is not outstanding", {}});
  }
  return SLUICE_FAILED;
}

sluice_status Host::complete(const sluice_completion* completion) {
  expire();
  sluice_completion room;
  const auto* given = whole(completion, std::numeric_limits<std::size_t>::max(), room);
  if (given == nullptr) return refuse("complete", {"completion", "is NULL or has no size", {}});
  if (given->outcome > SLUICE_REFUSED) return refuse("complete", {"outcome", "is unknown", {}});
  if (given->outcome == SLUICE_RETRY) {
    if (given->retry_after_ns < 0) return refuse("complete", {"retry_after_ns", "is negative", {}});
    const Inbox::Answer answer = inbox_.put_off(given->token, Nanoseconds(given->retry_after_ns));
    if (answer == Inbox::Answer::taken) counters_.retried.add();
    return settle(answer, "complete");
  }
  Completion result;
  result.outcome = given->outcome == SLUICE_DONE ? Outcome::done : Outcome::refused;
  if (Fault fault = convert_text(given->text, "text", result.text)) return refuse("complete", fault);
  if (Fault fault = convert_samples(given->samples, result.samples)) return refuse("complete", fault);
  std::optional<Delivery> delivery;
  const Inbox::Answer answer = inbox_.complete(given->token, delivery);
  if (delivery) {
    (result.outcome == Outcome::done ? counters_.completed : counters_.refused).add();
    upstream_.completed(*delivery, result);
  }
  return settle(answer, "complete");
}

void Host::expire() {
  const Gate::Pass pass(gate_);
  if (!pass) return;
  for (const Delivery& delivery : inbox_.expire()) {
    counters_.timed_out.add();
    upstream_.completed(delivery, {Outcome::timed_out, "not answered in time", {}});
  }
}

void Host::close_inbox() {
  inbox_.close();
  const std::vector<Delivery> left = inbox_.drain();
  const Gate::Pass pass(gate_);
  if (!pass) return;
  for (const Delivery& delivery : left)
    upstream_.completed(delivery, {Outcome::stopped, "the instance has ended", {}});
}

void Host::set_incarnation(std::shared_ptr<Incarnation> incarnation) {
  const std::lock_guard lock(mutex_);
  incarnation_.swap(incarnation);
}

void Host::stop() {
  stopping_ = true;
  stop_event_.signal();
  inbox_.close();
}

void Host::log(Level level, std::string_view text) noexcept try {
  const Gate::Pass pass(gate_);
  if (pass && log_.enabled(level)) log_.line(level, tidy(text));
} catch (...) {  // no memory for a line
}

Nanoseconds Host::monotonic() {
  const Gate::Pass pass(gate_);
  return pass ? clock_.monotonic() : system_time(CLOCK_MONOTONIC);
}

void Host::count_restart() {
  if (const Gate::Pass pass(gate_); pass) counters_.restarts.add();
}

void Host::count_overrun() {
  if (const Gate::Pass pass(gate_); pass) counters_.overruns.add();
}

void Host::fill(InstanceStatus& status) const {
  status.restarts = counters_.restarts.value();
  status.emitted = counters_.emitted.value();
  status.invalid = counters_.invalid.value();
  status.received = counters_.received.value();
  status.completed = counters_.completed.value();
  status.refused = counters_.refused.value();
  status.retried = counters_.retried.value();
  status.timed_out = counters_.timed_out.value();
  status.late = counters_.late.value();
  status.overruns = counters_.overruns.value();
  status.mailbox = inbox_.waiting();
  status.outstanding = inbox_.outstanding();
}

}  // namespace sluice::plugin
