// SPDX-License-Identifier: Apache-2.0
#include "plugin/instance.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/backoff.hpp"
#include "plugin/abi_settings.hpp"
#include "plugin/call.hpp"
#include "plugin/handed_out.hpp"
#include "plugin/host.hpp"
#include "plugin/incarnation.hpp"

namespace sluice::plugin {
namespace {

// At most so many messages go to one handle().
constexpr std::size_t handle_batch = 100;
// Waiting is cut into pieces, so that no duration overflows.
constexpr Nanoseconds longest_wait = std::chrono::hours(1);

// Keeps what a stuck plugin can still reach until the process ends, and beyond the destructors of its statics: the
// one thing here that belongs to the process rather than to an owner.
void keep_for_ever(std::shared_ptr<void> memory) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(memory));
}

}  // namespace

std::string_view to_string(InstanceState state) {
  switch (state) {
    case InstanceState::idle:
      return "idle";
    case InstanceState::starting:
      return "starting";
    case InstanceState::running:
      return "running";
    case InstanceState::waiting:
      return "waiting";
    case InstanceState::stopped:
      return "stopped";
    case InstanceState::stuck:
      return "stuck";
  }
  return "";
}

/// All that the thread of an instance works with: shared by the Instance and that thread.
class Instance::Life : public std::enable_shared_from_this<Life> {
 public:
  Life(const Library& library, InstanceOptions options, Upstream& upstream, const Clock& clock,
       Metrics& metrics, Log log)
      : options_(std::move(options)),
        plugin_(library.descriptor()),
        takes_(library.takes()),
        settings_(options_.settings),
        host_(library, options_, upstream, clock, metrics, std::move(log)),
        backoff_(options_.backoff_min, options_.backoff_max) {
    if (library.polled() && options_.interval <= Nanoseconds(0)) {
      throw std::invalid_argument("the interval of a polled plugin must be longer than 0");
    }
  }

  const InstanceOptions& options() const { return options_; }
  bool takes() const { return takes_; }
  Host& host() { return host_; }

  void start();
  void request_stop();
  bool join(std::chrono::steady_clock::time_point deadline);
  InstanceStatus status() const;

 private:
  enum class Ending { failed, stopped, ended, abandoned };

  void body();
  Ending live(std::string& error);
  Ending work(void* instance, std::string& error);
  Ending run(void* instance, std::string& error);
  Ending poll(void* instance, std::string& error);
  Ending handle(void* instance, std::string& error);
  void destroy(void* instance);
  Ending fail(CallResult result, std::string& error) const;
  void back_off(const std::string& error, Nanoseconds lived);
  void abandon();

  /// False: stopped meanwhile.
  bool wait_until(Nanoseconds due);
  bool stopping() const;
  bool abandoned() const;
  void set_state(InstanceState state);

  const InstanceOptions options_;
  const sluice_plugin plugin_;
  const bool takes_;
  const AbiSettings settings_;
  Host host_;
  HandedOut handed_;  // of the thread of the instance, as the two below
  Backoff backoff_;
  std::string logged_error_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::thread thread_;
  std::thread stopper_;  // calls the plugin's stop, which may not block, but might
  std::shared_ptr<Incarnation> incarnation_;
  InstanceState state_ = InstanceState::idle;
  std::string last_error_;
  bool stopping_ = false;
  bool finished_ = false;
  bool abandoned_ = false;
};

void Instance::Life::start() {
  const std::lock_guard lock(mutex_);
  if (thread_.joinable() || stopping_ || finished_) return;
  state_ = InstanceState::starting;
  thread_ = start_thread([life = shared_from_this()] { life->body(); });
  name_thread(thread_, options_.name);
}

void Instance::Life::body() {
  for (;;) {
    const Nanoseconds began = host_.monotonic();
    std::string error;
    const Ending ending = live(error);
    if (ending == Ending::abandoned) return;
    if (ending == Ending::ended) host_.log(Level::info, "has ended by itself, and is not started again");
    if (ending != Ending::failed) break;
    back_off(error, host_.monotonic() - began);
    if (stopping()) break;
  }
  host_.stop();
  host_.close_inbox();
  const std::lock_guard lock(mutex_);
  if (abandoned_) return;
  state_ = InstanceState::stopped;
  finished_ = true;
  changed_.notify_all();
}

void Instance::Life::back_off(const std::string& error, Nanoseconds lived) {
  // It worked for longer than the last wait could be: this is a new trouble.
  if (lived > backoff_.ceiling()) backoff_.reset();
  const Backoff::Duration delay = backoff_.next();
  {
    const std::lock_guard lock(mutex_);
    last_error_ = error;
    if (stopping_ || abandoned_) return;
    state_ = InstanceState::waiting;
  }
  host_.count_restart();
  // The same trouble again is no news; the counter and the status show it.
  host_.log(
      error == logged_error_ ? Level::debug : Level::warn,
      fmt::format("failed: {}; trying again in {:.1f} s", error, static_cast<double>(delay.count()) / 1e3));
  logged_error_ = error;
  wait_until(host_.monotonic() + delay);
}

Instance::Life::Ending Instance::Life::live(std::string& error) {
  const auto leaked = [weak = weak_from_this()](std::string_view function) {
    if (const auto life = weak.lock()) {
      life->host_.log(Level::error,
                      fmt::format("`{}` let an exception out, which plugin.h forbids", function));
    }
  };
  const auto incarnation = std::make_shared<Incarnation>(plugin_, leaked);
  {
    const std::lock_guard lock(mutex_);
    state_ = InstanceState::starting;
    incarnation_ = incarnation;
  }
  host_.set_incarnation(incarnation);
  void* instance = nullptr;
  const CallResult created = call("create", [&](sluice_text* text) {
    return plugin_.create(host_.abi(), settings_.root(), &instance, text);
  });
  if (abandoned()) return Ending::abandoned;
  Ending ending = Ending::failed;
  if (created.status == SLUICE_OK) {
    incarnation->set_instance(instance);
    ending = stopping() ? Ending::stopped : work(instance, error);
  } else {
    ending = fail(created, error);
  }
  if (abandoned()) return Ending::abandoned;
  host_.set_incarnation(nullptr);
  incarnation->end();
  if (created.status == SLUICE_OK || instance != nullptr) destroy(instance);
  if (abandoned()) return Ending::abandoned;
  host_.inbox().hand_out_again();
  return ending;
}

void Instance::Life::destroy(void* instance) {
  const CallResult result = call("destroy", [&](sluice_text*) {
    plugin_.destroy(instance);
    return SLUICE_OK;
  });
  if (result.status != SLUICE_OK) host_.log(Level::error, result.text);
}

Instance::Life::Ending Instance::Life::fail(CallResult result, std::string& error) const {
  if (stopping()) return Ending::stopped;
  error = std::move(result.text);
  return Ending::failed;
}

Instance::Life::Ending Instance::Life::work(void* instance, std::string& error) {
  set_state(InstanceState::running);
  if (plugin_.run != nullptr) return run(instance, error);
  return plugin_.poll != nullptr ? poll(instance, error) : handle(instance, error);
}

Instance::Life::Ending Instance::Life::run(void* instance, std::string& error) {
  CallResult result = call("run", [&](sluice_text* text) { return plugin_.run(instance, text); });
  if (result.status != SLUICE_OK) return fail(std::move(result), error);
  return stopping() ? Ending::stopped : Ending::ended;
}

Instance::Life::Ending Instance::Life::poll(void* instance, std::string& error) {
  const Nanoseconds first = host_.monotonic();
  std::int64_t turn = 0;
  while (wait_until(first + turn * options_.interval)) {
    const Nanoseconds began = host_.monotonic();
    CallResult result = call("poll", [&](sluice_text* text) { return plugin_.poll(instance, text); });
    if (result.status != SLUICE_OK) return fail(std::move(result), error);
    if (abandoned()) return Ending::abandoned;
    const Nanoseconds now = host_.monotonic();
    if (now - began > options_.interval) host_.count_overrun();
    // The next turn that is not over yet: missed ones are left out, never made up for.
    const std::int64_t over = (now - first + options_.interval - Nanoseconds(1)) / options_.interval;
    turn = std::max(turn + 1, over);
  }
  return Ending::stopped;
}

Instance::Life::Ending Instance::Life::handle(void* instance, std::string& error) {
  while (host_.next(handed_, handle_batch, -1) == SLUICE_OK) {
    CallResult result =
        call("handle", [&](sluice_text* text) { return plugin_.handle(instance, handed_.array(), text); });
    if (result.status != SLUICE_OK) return fail(std::move(result), error);
  }
  return Ending::stopped;
}

bool Instance::Life::wait_until(Nanoseconds due) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Nanoseconds left = due - host_.monotonic();
    lock.lock();
    if (left <= Nanoseconds(0) || stopping_) break;
    changed_.wait_for(lock, std::min(left, longest_wait));
  }
  return !stopping_;
}

void Instance::Life::request_stop() {
  std::shared_ptr<Incarnation> incarnation;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    incarnation = incarnation_;
  }
  host_.stop();
  changed_.notify_all();
  if (!incarnation || plugin_.stop == nullptr) return;
  try {
    std::thread stopper = start_thread([incarnation] { incarnation->stop(); });
    const std::lock_guard lock(mutex_);
    stopper_ = std::move(stopper);
  } catch (const std::system_error&) {  // no thread to be had
    incarnation->stop();
  }
}

bool Instance::Life::join(std::chrono::steady_clock::time_point deadline) {
  std::thread thread;
  std::thread stopper;
  {
    std::unique_lock lock(mutex_);
    if (abandoned_) return false;
    if (thread_.joinable() && !changed_.wait_until(lock, deadline, [this] { return finished_; })) {
      abandoned_ = true;
      state_ = InstanceState::stuck;
    } else if (!thread_.joinable()) {
      if (state_ == InstanceState::idle) state_ = InstanceState::stopped;
      finished_ = true;
    }
    thread.swap(thread_);
    stopper.swap(stopper_);
  }
  if (abandoned()) {
    thread.detach();
    if (stopper.joinable()) stopper.detach();
    abandon();
    return false;
  }
  if (thread.joinable()) thread.join();
  if (stopper.joinable()) stopper.join();
  host_.close_inbox();
  return true;
}

void Instance::Life::abandon() {
  keep_for_ever(shared_from_this());
  std::shared_ptr<Incarnation> incarnation;
  {
    const std::lock_guard lock(mutex_);
    incarnation = incarnation_;
  }
  if (incarnation) incarnation->abandon();
  host_.close_inbox();
  host_.log(Level::error,
            "did not end in time, and is abandoned: it keeps its memory and its device until the agent ends");
}

InstanceStatus Instance::Life::status() const {
  InstanceStatus status;
  {
    const std::lock_guard lock(mutex_);
    status.state = state_;
    status.last_error = last_error_;
  }
  host_.fill(status);
  return status;
}

bool Instance::Life::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool Instance::Life::abandoned() const {
  const std::lock_guard lock(mutex_);
  return abandoned_;
}

void Instance::Life::set_state(InstanceState state) {
  const std::lock_guard lock(mutex_);
  if (!abandoned_) state_ = state;
}

Instance::Instance(const Library& library, InstanceOptions options, Upstream& upstream, const Clock& clock,
                   Metrics& metrics, Log log)
    : life_(std::make_shared<Life>(library, std::move(options), upstream, clock, metrics, std::move(log))) {}

Instance::~Instance() {
  request_stop();
  join(std::chrono::steady_clock::now() + stop_grace);
  life_->host().cut_off();
}

const std::string& Instance::name() const {
  return life_->options().name;
}

bool Instance::takes() const {
  return life_->takes();
}

void Instance::start() {
  life_->start();
}

Push Instance::deliver(Delivery&& delivery) {
  return takes() ? life_->host().inbox().push(std::move(delivery)) : Push::closed;
}

void Instance::request_stop() {
  life_->request_stop();
}

bool Instance::join(std::chrono::steady_clock::time_point deadline) {
  return life_->join(deadline);
}

void Instance::expire() {
  life_->host().expire();
}

InstanceStatus Instance::status() const {
  return life_->status();
}

}  // namespace sluice::plugin
