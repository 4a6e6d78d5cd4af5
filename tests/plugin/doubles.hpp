// SPDX-License-Identifier: Apache-2.0
// What stands in for the agent and for a plugin in these tests.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "plugin/instance.hpp"

namespace sluice::plugin {

constexpr std::chrono::seconds patience{30};

/// Keeps what it is given, and tells whoever waits.
class TestUpstream : public Upstream {
 public:
  Push accept(Message&& message, const std::shared_ptr<void>& until_committed) override {
    std::vector<Message> one;
    one.push_back(message);
    return accept_all(std::move(one), until_committed);
  }
  Push accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) override {
    const std::lock_guard lock(mutex_);
    ++calls_;
    if (messages_.size() + messages.size() > capacity_) {
      changed_.notify_all();
      return Push::full;
    }
    messages_.insert(messages_.end(), messages.begin(), messages.end());
    if (until_committed) uncommitted_.push_back(until_committed);
    changed_.notify_all();
    return Push::ok;
  }
  bool wait_room(std::chrono::nanoseconds timeout) override {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return messages_.size() < capacity_; });
  }
  void completed(const Delivery& delivery, const Completion& completion) override {
    const std::lock_guard lock(mutex_);
    completions_.emplace_back(delivery.topic(), completion);
    changed_.notify_all();
  }

  void set_capacity(std::size_t capacity) {
    const std::lock_guard lock(mutex_);
    capacity_ = capacity;
    changed_.notify_all();
  }
  void commit() {
    std::vector<std::shared_ptr<void>> committed;  // let go of without the mutex: that calls the plugin
    const std::lock_guard lock(mutex_);
    committed.swap(uncommitted_);
  }
  /// The first `count` messages; fewer where they do not come.
  std::vector<Message> messages(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return messages_.size() >= count; });
    return messages_;
  }
  std::vector<std::pair<std::string, Completion>> completions(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return completions_.size() >= count; });
    return completions_;
  }
  std::size_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t capacity_ = 1'000'000;
  std::size_t calls_ = 0;
  std::vector<Message> messages_;
  std::vector<std::shared_ptr<void>> uncommitted_;
  std::vector<std::pair<std::string, Completion>> completions_;
};

/// Waits until `condition` holds; polls, so it is for conditions that nobody signals.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

/// A gate that a test opens.
class Signal {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

/// The lines that were logged.
class Lines {
 public:
  Lines()
      : logging_([this](Level level, std::string_view, std::string_view text) {
          const std::lock_guard lock(mutex_);
          lines_.emplace_back(level, std::string(text));
        }) {}
  Log log() { return logging_.part("input.test"); }
  std::size_t count(std::string_view part, Level at_least = Level::trace) const {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (const auto& [level, text] : lines_)
      found += level >= at_least && text.find(part) != std::string::npos;
    return found;
  }
  std::string all() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& line : lines_) text += line.second + "\n";
    return text;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<Level, std::string>> lines_;
  Logging logging_;
};

/// A plugin whose functions are what the test says. One at a time, as plugins are found by plain functions; what the
/// functions use must live as long as the thread that calls them.
struct Script {
  std::function<sluice_status(const sluice_host&, sluice_text&)> create;
  std::function<sluice_status(const sluice_host&, sluice_text&)> run;
  std::function<sluice_status(const sluice_host&, sluice_text&)> poll;
  std::function<sluice_status(const sluice_host&, sluice_array, sluice_text&)> handle;
  std::function<void()> stop;
  std::function<void(std::uint64_t, sluice_status)> committed;
  std::atomic<int> created{0};
  std::atomic<int> destroyed{0};
  std::uint32_t roles = SLUICE_EMITS;

  /// The descriptor of this script, which stays the one until the next call.
  Library library();
};

inline sluice_sample make_sample(const char* name, std::int64_t value) {
  sluice_sample sample{};
  sample.size = sizeof sample;
  sample.name = {name, std::char_traits<char>::length(name)};
  sample.value.type = SLUICE_INT64;
  sample.value.as.i64 = value;
  return sample;
}

inline sluice_status emit(const sluice_host& host, std::int64_t value, std::size_t copies = 1,
                          std::size_t* accepted = nullptr) {
  const sluice_sample sample = make_sample("value", value);
  sluice_message message{};
  message.size = sizeof message;
  message.samples = {&sample, 1, sizeof sample};
  const std::vector<sluice_message> messages(copies, message);
  return host.emit(host.self, {messages.data(), messages.size(), sizeof message}, accepted);
}

inline sluice_status complete(const sluice_host& host, std::uint64_t token,
                              std::uint32_t outcome = SLUICE_DONE, std::int64_t retry_after_ns = 0) {
  sluice_completion completion{};
  completion.size = sizeof completion;
  completion.token = token;
  completion.outcome = outcome;
  completion.retry_after_ns = retry_after_ns;
  if (outcome == SLUICE_REFUSED) completion.text = SLUICE_STR("no such tag");
  return host.complete(host.self, &completion);
}

inline void wait_for_stop(const sluice_host& host) {
  pollfd fd{host.stop_fd, POLLIN, 0};
  ::poll(&fd, 1, -1);
}

inline Delivery make_delivery(std::string topic) {
  auto message = std::make_shared<Message>();
  message->topic = std::move(topic);
  message->payload = "set";
  return {message, "", {}};
}

}  // namespace sluice::plugin
