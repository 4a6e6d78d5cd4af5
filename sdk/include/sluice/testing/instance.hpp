// SPDX-License-Identifier: Apache-2.0
//
// One instance of a plugin under test, with the host around it. Its plugin's functions run on a thread of its own, with
// signals blocked, as in the agent; the functions here belong to the test's thread.
#pragma once

#include <sluice/testing/check.hpp>
#include <sluice/testing/fake_host.hpp>
#include <sluice/testing/settings.hpp>

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace test {

// Time-out of everything that waits: long, since a test that passes never waits for it.
inline constexpr std::chrono::seconds patience{20};

class Instance {
 public:
  // Makes the instance. Throws BadSettings with all problems of the settings, or std::runtime_error with the plugin's
  // own reason. `plugin` must outlive the process, as descriptors do.
  Instance(const sluice_plugin& plugin, const Source& settings, const std::string& name = "test")
      : state_(std::make_shared<State>(plugin, settings.node, name)) {
    const Reported reported = detail::ask(plugin, state_->settings);
    std::string all;
    for (const std::string& problem : reported.problems) all += (all.empty() ? "" : "\n") + problem;
    if (!all.empty()) throw BadSettings(all);
    thread_ = std::thread([state = state_] { state->work(); });
    const End end = create();
    if (end.ok()) return;
    state_->instance = nullptr;
    stop();
    throw std::runtime_error(end.error);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() {
    try {
      stop();
    } catch (const TimedOut&) {
      thread_.detach();  // it hangs: what it uses is held by its own reference to the state
    }
  }

  // ---- Driving it

  // Lets run() run. Returns at once.
  void start() {
    if (!SLUICE_HAS(&state_->plugin, run)) throw std::logic_error("this plugin has no run()");
    state_->post([](State& state) {
      state.ended(state.guarded([&](sluice_text* error) { return state.plugin.run(state.instance, error); }));
    });
  }
  // One call of poll().
  End poll() {
    if (!SLUICE_HAS(&state_->plugin, poll)) throw std::logic_error("this plugin has no poll()");
    return call([](State& state) {
      const End end =
          state.guarded([&](sluice_text* error) { return state.plugin.poll(state.instance, error); });
      if (!end.ok()) state.ended(end);
      return end;
    });
  }
  // Hands a message in. With handle() that is called, and has returned when this returns; with run() the message waits
  // for receive(). Returns the token.
  std::uint64_t send(const Message& message) {
    std::shared_ptr<const Handed> handed = state_->host.hand_out(message);
    const std::uint64_t token = handed->raw.token;
    if (!SLUICE_HAS(&state_->plugin, handle)) {
      state_->host.queue(std::move(handed));
      return token;
    }
    call([handed](State& state) {
      const End end = state.guarded([&](sluice_text* error) {
        return state.plugin.handle(state.instance, sluice_array{&handed->raw, 1, sizeof(sluice_message)},
                                   error);
      });
      if (!end.ok()) state.ended(end);
      return end;
    });
    return token;
  }
  // Answers emit_durable, for every message with that cookie.
  void commit(std::uint64_t cookie, bool ok = true) {
    if (!SLUICE_HAS(&state_->plugin, committed)) throw std::logic_error("this plugin has no committed()");
    state_->plugin.committed(state_->instance, cookie, ok ? SLUICE_OK : SLUICE_STOPPED);
  }
  // How many more messages emit takes before it answers FULL; FakeHost::unlimited to begin with.
  void room(std::size_t messages) { state_->host.set_room(messages); }
  // From now on emit answers STOPPED and stop_fd is readable; the plugin's stop() is called. Waits for nothing.
  void request_stop() {
    if (std::exchange(stop_requested_, true)) return;
    state_->host.stop();
    if (SLUICE_HAS(&state_->plugin, stop) && state_->instance != nullptr)
      state_->plugin.stop(state_->instance);
  }
  // Stops it as the agent does, waits until run() has returned, and destroys the instance. How run(), or what failed
  // last, ended. Throws TimedOut where it hangs.
  End stop(std::chrono::nanoseconds timeout = patience) {
    request_stop();
    if (thread_.joinable()) {
      state_->post([](State& state) {
        if (state.instance != nullptr) state.plugin.destroy(state.instance);
        state.leave();
      });
      if (state_->left.wait_for(timeout) != std::future_status::ready)
        throw TimedOut("the instance did not stop in time");
      thread_.join();
    }
    return state_->host.read([](const FakeHost& host) { return host.end; });
  }
  // The clock that the plugin reads by Host::now stands at this from now on.
  void set_now(Now now) { state_->host.set_now(now); }

  // ---- What it did. The waiting ones throw TimedOut

  std::vector<Emitted> emitted() const {
    return state_->host.read([](const FakeHost& host) { return host.emitted; });
  }
  // Everything emitted so far, once it is at least so many.
  std::vector<Emitted> wait_emitted(std::size_t count, std::chrono::nanoseconds timeout = patience) {
    wait(timeout, "messages emitted", count,
         [&](const FakeHost& host) { return host.emitted.size() >= count; });
    return emitted();
  }
  std::vector<Completion> completions() const {
    return state_->host.read([](const FakeHost& host) { return host.completions; });
  }
  std::vector<Completion> wait_completions(std::size_t count, std::chrono::nanoseconds timeout = patience) {
    wait(timeout, "completions", count,
         [&](const FakeHost& host) { return host.completions.size() >= count; });
    return completions();
  }
  // How the message with that token was answered.
  Completion wait_completion(std::uint64_t token, std::chrono::nanoseconds timeout = patience) {
    Completion out;
    wait(timeout, "completions of that token", 1, [&](const FakeHost& host) {
      for (const Completion& one : host.completions) {
        if (one.token != token) continue;
        out = one;
        return true;
      }
      return false;
    });
    return out;
  }
  // How run() ended, by itself or after request_stop(), or how poll() or handle() failed.
  End wait_end(std::chrono::nanoseconds timeout = patience) {
    wait(timeout, "ends", 1, [](const FakeHost& host) { return host.ended; });
    return state_->host.read([](const FakeHost& host) { return host.end; });
  }
  std::vector<LogLine> log() const {
    return state_->host.read([](const FakeHost& host) { return host.log_lines; });
  }
  // The first line that contains `part`.
  LogLine wait_log(std::string_view part, std::chrono::nanoseconds timeout = patience) {
    LogLine out;
    wait(timeout, "log lines with \"" + std::string(part) + "\"", 1, [&](const FakeHost& host) {
      for (const LogLine& line : host.log_lines) {
        if (line.text.find(part) == std::string::npos) continue;
        out = line;
        return true;
      }
      return false;
    });
    return out;
  }
  // All zero where the plugin never asked for it.
  MetricRecord metric(const std::string& name) const {
    return state_->host.read([&](const FakeHost& host) {
      const auto found = host.metrics.find(name);
      return found == host.metrics.end() ? MetricRecord() : found->second;
    });
  }
  // Until a counter or gauge is at least that, or a histogram has so many values.
  void wait_metric(const std::string& name, double value, std::chrono::nanoseconds timeout = patience) {
    wait(timeout, "of metric " + name, static_cast<std::size_t>(value), [&](const FakeHost& host) {
      const auto found = host.metrics.find(name);
      return found != host.metrics.end() && found->second.value >= value;
    });
  }

 private:
  // Shared with the thread, which may outlive the test where the plugin hangs.
  struct State {
    State(const sluice_plugin& plugin_, const Node& node, const std::string& name)
        : plugin(plugin_),
          settings(plugin_, node),
          host(plugin_, settings.name().empty() ? name : settings.name()),
          left(gone.get_future()) {}

    using Job = std::function<void(State&)>;

    void post(Job job) {
      const std::lock_guard lock(mutex);
      jobs.push_back(std::move(job));
      posted.notify_one();
    }
    void work() {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, nullptr);
      while (!leaving) {
        std::unique_lock lock(mutex);
        posted.wait(lock, [this] { return !jobs.empty(); });
        const Job job = std::move(jobs.front());
        jobs.pop_front();
        lock.unlock();
        job(*this);
      }
      gone.set_value();
    }
    void leave() { leaving = true; }
    template <class Call>
    End guarded(Call plugin_call) {
      char buffer[1024];
      sluice_text error{sizeof(sluice_text), buffer, sizeof(buffer), 0};
      const auto status = static_cast<Status>(plugin_call(&error));
      return End{status, std::string(buffer, error.used)};
    }
    void ended(const End& how) {
      host.change([&](FakeHost& changed) {
        changed.ended = true;
        changed.end = how;
      });
    }

    const sluice_plugin& plugin;
    CheckedSettings settings;
    FakeHost host;
    void* instance = nullptr;
    bool leaving = false;  // of the thread
    std::promise<void> gone;
    std::future<void> left;
    std::mutex mutex;
    std::condition_variable posted;
    std::deque<Job> jobs;  // guarded by mutex
  };

  // Runs a call of the plugin on its thread, and waits for it.
  End call(const std::function<End(State&)>& work) {
    auto end = std::make_shared<std::promise<End>>();
    std::future<End> ended = end->get_future();
    state_->post([work, end](State& state) { end->set_value(work(state)); });
    if (ended.wait_for(patience) != std::future_status::ready)
      throw TimedOut("a call of the plugin did not return in time");
    return ended.get();
  }

  End create() {
    try {
      return call([](State& state) {
        return state.guarded([&](sluice_text* error) {
          return state.plugin.create(state.host.raw(), state.settings.raw(), &state.instance, error);
        });
      });
    } catch (const TimedOut&) {
      thread_.detach();
      throw;
    }
  }

  template <class Done>
  void wait(std::chrono::nanoseconds timeout, const std::string& what, std::size_t count, Done done) {
    if (state_->host.wait(timeout, done)) return;
    throw TimedOut("waited in vain for " + std::to_string(count) + " " + what + "; " +
                   state_->host.read([](const FakeHost& host) {
                     std::string seen = std::to_string(host.emitted.size()) + " emitted, " +
                                        std::to_string(host.completions.size()) + " completed";
                     if (host.ended)
                       seen += ", ended: " + (host.end.ok() ? std::string("ok") : host.end.error);
                     for (const LogLine& line : host.log_lines) seen += "\n  log: " + line.text;
                     return seen;
                   }));
  }

  std::shared_ptr<State> state_;
  std::thread thread_;
  bool stop_requested_ = false;
};

}  // namespace test
}  // namespace v1
}  // namespace sluice
