// SPDX-License-Identifier: Apache-2.0
// The storage thread: it owns all SQLite files of all queues, and is the only one that waits for the disk. It runs under
// SCHED_BATCH where the system permits it.
// Owned by the agent; outlives its queues. Every function may be called from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/thread_state.hpp"
#include "queue/room.hpp"

namespace sluice::queue {

/// What the storage thread works for: a queue.
class StorageClient {
 public:
  virtual ~StorageClient() = default;
  /// On the storage thread: does what is due, and answers when to call again (by the monotonic clock).
  /// Throws nothing.
  virtual Nanoseconds work() noexcept = 0;
  /// On the storage thread, at the end: writes everything and closes the files.
  virtual void finish() noexcept = 0;
};

/// Whether the kernel says that somebody sets the wall clock (NTP).
bool kernel_clock_is_synchronised();

/// The file system of `directory`, or of the nearest folder above that is there; nothing: not known.
std::optional<Space> space_at(const std::filesystem::path& directory);

class Storage {
 public:
  using SpaceAt = std::function<std::optional<Space>(const std::filesystem::path& directory)>;

  /// Starts the thread. `clock` outlives the storage; `synchronised` says whether its wall clock can be trusted,
  /// and is called by the storage thread, like `space`.
  explicit Storage(const Clock& clock, std::function<bool()> synchronised = kernel_clock_is_synchronised,
                   SpaceAt space = space_at);
  ~Storage();  ///< stops
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  /// Finishes every queue and ends the thread. Later calls do nothing.
  void stop();

  /// Rises at least each second while the thread is not held up by the disk: for the watchdog.
  std::uint64_t heartbeat() const noexcept { return heartbeat_.load(std::memory_order_relaxed); }
  /// Is it held up by the disk at this moment?
  bool waits_for_disk() const { return sluice::waits_for_disk(thread_id_); }

  /// Makes the thread look at the clock and at its work again.
  void wake() noexcept;
  /// The same, where it would sleep beyond `at` on the monotonic clock.
  void wake_by(Nanoseconds at) noexcept;

  /// Runs `work` on the storage thread and waits for it; what it throws is thrown here. Not for the storage
  /// thread itself. Throws std::logic_error after stop().
  void execute(const std::function<void()>& work);

  const Clock& clock() const { return clock_; }
  bool clock_is_synchronised() const { return synchronised_(); }
  std::optional<Space> space(const std::filesystem::path& directory) const { return space_(directory); }

  void add(StorageClient& client);     ///< before or while the thread runs
  void remove(StorageClient& client);  ///< when it returns, `client` is not called any more

 private:
  struct Task;
  void run();
  Nanoseconds run_clients();

  const Clock& clock_;
  const std::function<bool()> synchronised_;
  const SpaceAt space_;
  std::atomic<std::uint64_t> heartbeat_{0};
  std::atomic<pid_t> thread_id_{0};
  std::atomic<std::int64_t> sleeps_until_ns_{0};  // by the monotonic clock; 0 while awake
  std::vector<StorageClient*> clients_;           // the storage thread's

  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::vector<Task*> tasks_;
  bool woken_ = false;
  bool stopping_ = false;
  bool ended_ = false;

  std::thread thread_;
};

}  // namespace sluice::queue
