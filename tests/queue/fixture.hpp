// SPDX-License-Identifier: Apache-2.0
// What the tests of the queue share: a folder of their own, messages, and a clock that stands still.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "queue/queue.hpp"
#include "queue/storage.hpp"

namespace sluice::queue {

inline constexpr std::chrono::seconds long_enough{30};

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-queue-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A message whose payload begins with `number`.
inline Delivery delivery_of(std::uint64_t number, std::size_t payload_bytes = 0,
                            Priority priority = Priority::normal) {
  auto message = std::make_shared<Message>();
  message->topic = "plant/line1/temperature";
  message->input = "test";
  message->time.wall_ns = static_cast<std::int64_t>(number);
  std::string payload = std::to_string(number);
  if (payload.size() < payload_bytes) payload.resize(payload_bytes, ' ');
  message->payload = std::move(payload);
  Delivery delivery;
  delivery.message = std::move(message);
  delivery.options.priority = priority;
  return delivery;
}

inline std::uint64_t number_in(const Delivery& delivery) {
  return std::stoull(*delivery.message->payload);
}

/// Let go by the queue: the future is ready.
struct Answer {
  explicit Answer() {
    auto promise = std::make_shared<std::promise<void>>();
    committed = promise->get_future();
    token = std::shared_ptr<void>(nullptr, [promise](void*) { promise->set_value(); });
  }
  bool given() const { return committed.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  std::shared_ptr<void> token;
  std::future<void> committed;
};

class QueueTest : public testing::Test {
 protected:
  QueueTest() {
    options.directory = directory.path() / "queue";
    options.persist_after = std::chrono::seconds(1);
    options.commit_interval = std::chrono::seconds(1);
    restart();
  }
  ~QueueTest() override {
    queue.reset();
    storage.reset();
  }

  /// A clean stop, where there is a queue, and a new start.
  void restart(Use use = Use::run) {
    close();
    storage = std::make_unique<Storage>(
        clock, [this] { return synchronised.load(); }, space);
    queue = std::make_unique<Queue>(*storage, options, logging.part("queue"), use);
  }
  void close() {
    queue.reset();
    storage.reset();
  }

  void append(std::uint64_t from, std::uint64_t to, std::size_t payload_bytes = 0) {
    for (std::uint64_t i = from; i <= to; ++i) {
      Delivery delivery = delivery_of(i, payload_bytes);
      while (true) {
        const Push push = queue->append(std::move(delivery));
        if (push == Push::ok) break;
        ASSERT_EQ(push, Push::full);
        ASSERT_TRUE(queue->wait_room(long_enough));
      }
    }
  }

  /// Everything that can be taken, until nothing comes from memory nor from disk any more.
  std::vector<Outgoing> take_all(std::size_t at_once = 100) {
    std::vector<Outgoing> taken;
    while (true) {
      if (queue->take(taken, at_once) > 0) continue;
      look();
      if (queue->take(taken, at_once) == 0) return taken;
    }
  }
  std::vector<std::uint64_t> numbers(const std::vector<Outgoing>& taken) const {
    std::vector<std::uint64_t> all;
    for (const Outgoing& one : taken) all.push_back(number_in(one.delivery));
    return all;
  }
  static std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t i = from; i <= to; ++i) all.push_back(i);
    return all;
  }

  /// When it returns, the storage thread has looked at its work since.
  void look() {
    for (int round = 0; round < 4; ++round) storage->execute([] {});
  }
  void advance(Nanoseconds by) {
    clock.advance(by);
    look();
  }

  std::vector<std::filesystem::path> segment_files() const {
    std::vector<std::filesystem::path> files;
    const std::filesystem::path folder = options.directory / "normal";
    if (!std::filesystem::exists(folder)) return files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".sqlite") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  std::uint64_t bytes_below() const {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options.directory)) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
  }
  std::string files_below() const {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options.directory)) {
      if (entry.is_regular_file())
        text += entry.path().string() + ": " + std::to_string(entry.file_size()) + "\n";
    }
    return text;
  }
  void expect_balanced() {
    const Verification verification = queue->verify();
    EXPECT_TRUE(verification.ledger.balanced());
    EXPECT_EQ(verification.differences, std::vector<std::string>());
    EXPECT_EQ(verification.ledger.counts, queue->stats().ledger.counts);
  }
  std::vector<std::string> logged() const {
    const std::lock_guard lock(log_mutex);
    return log_lines;
  }

  TemporaryDirectory directory;
  ManualClock clock;
  mutable std::mutex log_mutex;
  std::vector<std::string> log_lines;
  Logging logging{[this](Level, std::string_view, std::string_view text) {
    const std::lock_guard lock(log_mutex);
    log_lines.emplace_back(text);
  }};
  Options options;
  std::atomic<bool> synchronised = true;                            // somebody has set the clock
  std::atomic<std::uint64_t> free_bytes = std::uint64_t{1} << 40U;  // on the file system
  Storage::SpaceAt space = [this](const std::filesystem::path&) {
    return std::optional(Space{free_bytes, std::uint64_t{1} << 40U});
  };
  std::unique_ptr<Storage> storage;
  std::unique_ptr<Queue> queue;
};

}  // namespace sluice::queue
