// SPDX-License-Identifier: Apache-2.0
#include "queue/storage.hpp"

#include <sched.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include "base/test_switches.hpp"

namespace sluice::queue {
namespace {

constexpr Nanoseconds longest_sleep = std::chrono::seconds(1);

// Its work comes in pieces of milliseconds, and nobody waits for the microsecond at which one begins: with this policy it
// takes the processor from nobody when it wakes. Where that is not permitted all goes on as before, a little slower.
void let_others_go_first() {
  const sched_param parameters{};
  ::sched_setscheduler(0, SCHED_BATCH, &parameters);  // of the calling thread
}

}  // namespace

struct Storage::Task {
  const std::function<void()>& work;
  std::exception_ptr error;
  bool done = false;  // guarded by the storage's mutex
};

bool kernel_clock_is_synchronised() {
  timex state{};
  const int result = adjtimex(&state);
  return result >= 0 && result != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

std::optional<Space> space_at(const std::filesystem::path& directory) {
  struct statvfs system {};
  for (std::filesystem::path at = directory; ::statvfs(at.c_str(), &system) != 0; at = at.parent_path()) {
    if (errno != ENOENT || at == at.parent_path()) return std::nullopt;
  }
  const std::uint64_t block = system.f_frsize;
  return Space{system.f_bavail * block, system.f_blocks * block};
}

Storage::Storage(const Clock& clock, std::function<bool()> synchronised, SpaceAt space)
    : clock_(clock),
      synchronised_(std::move(synchronised)),
      space_(std::move(space)),
      thread_([this] { run(); }) {}

Storage::~Storage() {
  stop();
}

void Storage::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Storage::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (woken_) return;
    woken_ = true;
  }
  changed_.notify_all();
}

void Storage::wake_by(Nanoseconds at) noexcept {
  // Awake, the thread asks every client again before it sleeps.
  if (at.count() < sleeps_until_ns_.load()) wake();
}

void Storage::execute(const std::function<void()>& work) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    throw std::logic_error("the storage thread cannot wait for itself");
  }
  Task task{work, nullptr};
  std::unique_lock lock(mutex_);
  if (stopping_) throw std::logic_error("the storage has been stopped");
  tasks_.push_back(&task);
  changed_.notify_all();
  changed_.wait(lock, [&] { return task.done || ended_; });
  if (!task.done) throw std::logic_error("the storage has been stopped");
  lock.unlock();
  if (task.error) std::rethrow_exception(task.error);
}

void Storage::add(StorageClient& client) {
  execute([&] { clients_.push_back(&client); });
}

void Storage::remove(StorageClient& client) {
  try {
    execute([&] { std::erase(clients_, &client); });
  } catch (const std::logic_error&) {
    // Stopped, or about to be: the thread may be finishing this very client.
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
  }
}

void Storage::run() {
  let_others_go_first();
  thread_id_ = this_thread();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    woken_ = false;
    std::vector<Task*> tasks = std::exchange(tasks_, {});
    lock.unlock();
    test_switches::stall("storage");
    for (Task* task : tasks) {
      try {
        task->work();
      } catch (...) {
        task->error = std::current_exception();
      }
    }
    if (!tasks.empty()) {
      lock.lock();
      for (Task* task : tasks) task->done = true;
      lock.unlock();
      changed_.notify_all();
    }
    const Nanoseconds next = run_clients();
    heartbeat_.fetch_add(1, std::memory_order_relaxed);
    lock.lock();
    if (woken_ || stopping_ || !tasks_.empty()) continue;
    const Nanoseconds sleep = next - clock_.monotonic();
    if (sleep > Nanoseconds::zero()) {
      changed_.wait_for(lock, sleep, [this] { return woken_ || stopping_ || !tasks_.empty(); });
    }
    sleeps_until_ns_ = 0;
  }
  lock.unlock();
  for (StorageClient* client : clients_) client->finish();
  lock.lock();
  ended_ = true;
  changed_.notify_all();
}

// When to call them again. What is told before they are asked they see; what is told later wakes the thread,
// because it finds the time here.
Nanoseconds Storage::run_clients() {
  const Nanoseconds latest = clock_.monotonic() + longest_sleep;
  sleeps_until_ns_ = latest.count();
  Nanoseconds next = latest;
  for (StorageClient* client : clients_) next = std::min(next, client->work());
  sleeps_until_ns_ = next.count();
  return next;
}

}  // namespace sluice::queue
