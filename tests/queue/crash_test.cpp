// SPDX-License-Identifier: Apache-2.0
// kill -9 at any moment: a child fills and drains a queue through its public functions, and is killed; what it
// knew stands in memory shared with the parent, which opens the queue and compares.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <random>
#include <semaphore>
#include <set>
#include <thread>

#include "queue/fixture.hpp"

namespace sluice::queue {
namespace {

constexpr std::uint64_t max_messages = 400'000;
constexpr std::size_t window = 100;

struct Shared {
  std::atomic<std::uint64_t> appended;  // messages 1..appended have been accepted, the next one perhaps
  std::atomic<std::uint64_t> acknowledged_count;
  std::atomic<std::uint8_t> answered[max_messages];      // committed, or gone
  std::atomic<std::uint8_t> acknowledged[max_messages];  // about to be acknowledged, or it was
  std::atomic<std::uint64_t> start[max_messages];        // of the id under which it was handed out last
  std::atomic<std::uint64_t> sequence[max_messages];
};

Shared* make_shared_memory() {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

Options options_of(const std::filesystem::path& directory, unsigned round) {
  Options options;
  options.directory = directory;
  options.max_bytes = 64 << 20;  // segments of 4 MiB
  options.memory = 512 << 10;
  // Sometimes everything is written, sometimes only what waits.
  options.persist_after = std::chrono::milliseconds(round % 3 == 0 ? 0 : round % 3 == 1 ? 5 : 50);
  options.commit_interval = std::chrono::milliseconds(round % 2 == 0 ? 5 : 20);
  return options;
}

// Runs until it is killed; says through `pipe` when it has got as far as `target`.
[[noreturn]] void fill_and_drain(const Options& options, Shared& shared, bool drain, unsigned seed,
                                 std::uint64_t target, int pipe) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const SystemClock clock;
  Logging logging([](Level, std::string_view, std::string_view) {});
  Storage storage(clock);
  Queue queue(storage, options, logging.part("queue"));
  std::atomic<bool> said = false;
  const auto say = [&] {
    if (shared.appended + shared.acknowledged_count < target || said.exchange(true)) return;
    [[maybe_unused]] const auto written = write(pipe, "x", 1);
  };
  std::counting_semaphore<> ready(0);
  queue.on_ready([&](bool) { ready.release(); });
  std::thread consumer([&] {
    std::mt19937 random(seed);
    std::vector<Outgoing> taken;
    std::vector<Outgoing> in_flight;
    while (drain) {
      taken.clear();
      queue.take(taken, window - in_flight.size());
      for (Outgoing& one : taken) {
        const std::uint64_t number = number_in(one.delivery);
        shared.start[number] = std::stoull(one.id);
        shared.sequence[number] = one.sequence;
        in_flight.push_back(std::move(one));
      }
      if (in_flight.empty()) {
        ready.acquire();
        continue;
      }
      // Mostly in order.
      if (random() % 8 == 0) std::shuffle(in_flight.begin(), in_flight.end(), random);
      const std::size_t count = 1 + random() % in_flight.size();
      for (std::size_t i = 0; i < count; ++i) {
        shared.acknowledged[number_in(in_flight[i].delivery)] = 1;
        queue.acknowledge(in_flight[i].sequence);
        ++shared.acknowledged_count;
        say();
      }
      in_flight.erase(in_flight.begin(), in_flight.begin() + static_cast<std::ptrdiff_t>(count));
    }
  });
  while (shared.appended + 1 < max_messages) {
    const std::uint64_t number = shared.appended + 1;
    std::shared_ptr<void> answer;
    if (number % 16 == 0) {
      answer = std::shared_ptr<void>(nullptr, [&shared, number](void*) { shared.answered[number] = 1; });
    }
    Delivery delivery = delivery_of(number, 60);
    while (queue.append(std::move(delivery), answer) == Push::full) queue.wait_room(long_enough);
    shared.appended = number;
    say();
  }
  pause();
  _exit(1);
}

TEST(QueueCrash, LosesNothingAndCountsExactlyWhenItIsKilled) {
  const TemporaryDirectory directory;
  Shared* shared = make_shared_memory();
  ASSERT_NE(shared, nullptr);
  std::mt19937 random(20260131);
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> ids;  // id -> message
  std::uint64_t duplicates_total = 0;
  std::uint64_t duplicates_most = 0;
  std::uint64_t committed = 0;
  constexpr unsigned kills = 20;
  const ManualClock clock;
  Logging logging([](Level, std::string_view, std::string_view) {});

  for (unsigned round = 0; round < kills; ++round) {
    const Options options = options_of(directory.path() / "queue", round);
    const bool drain = round % 4 != 0;
    const std::uint64_t target = shared->appended + shared->acknowledged_count + 1 + random() % 4000;
    int reached[2];
    ASSERT_EQ(pipe(reached), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) fill_and_drain(options, *shared, drain, round, target, reached[1]);
    char byte = 0;
    ASSERT_EQ(read(reached[0], &byte, 1), 1);
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    close(reached[0]);
    close(reached[1]);

    Storage storage(clock);
    Queue queue(storage, options, logging.part("queue"), Use::inspect);
    const Verification verification = queue.verify();
    ASSERT_EQ(verification.differences, std::vector<std::string>()) << "round " << round;
    ASSERT_TRUE(verification.ledger.balanced());
    ASSERT_EQ(verification.ledger.counts, queue.stats().ledger.counts);
    ASSERT_GE(verification.ledger.counts.committed, committed);
    committed = verification.ledger.counts.committed;

    std::set<std::uint64_t> stored;
    std::uint64_t duplicates = 0;
    std::uint64_t last = 0;
    std::uint64_t after = 0;
    while (true) {
      const std::vector<Stored> rows = queue.read(after, 1000);
      if (rows.empty()) break;
      for (const Stored& row : rows) {
        const std::uint64_t number = number_in(row.delivery);
        ASSERT_TRUE(stored.insert(number).second) << number << " is stored twice";
        ASSERT_GT(number, last);
        last = number;
        duplicates += shared->acknowledged[number];
        const auto [at, fresh] = ids.emplace(std::pair{std::stoull(row.id), row.sequence}, number);
        ASSERT_TRUE(fresh || at->second == number) << row.id << " was used twice";
      }
      after = rows.back().sequence;
    }
    ASSERT_EQ(verification.ledger.stored, stored.size());
    const std::uint64_t appended = shared->appended + 1;
    for (std::uint64_t number = 1; number <= appended; ++number) {
      if (shared->start[number] != 0) {
        const auto [at, fresh] =
            ids.emplace(std::pair{shared->start[number].load(), shared->sequence[number].load()}, number);
        ASSERT_TRUE(fresh || at->second == number) << number << " was handed out under an id of another";
      }
      if (shared->answered[number] != 0 && shared->acknowledged[number] == 0) {
        ASSERT_EQ(stored.count(number), 1U) << number << " was committed and is lost, round " << round;
      }
    }
    duplicates_total += duplicates;
    duplicates_most = std::max(duplicates_most, duplicates);
    // What is handed out again counts as not acknowledged.
    for (const std::uint64_t number : stored) shared->acknowledged[number] = 0;
    // What the crash has taken with it was never committed.
    shared->appended = appended;
  }
  std::printf("%u kills: %llu accepted, %llu committed, at most %llu acknowledged ones again, %llu in all\n",
              kills, static_cast<unsigned long long>(shared->appended.load()),
              static_cast<unsigned long long>(committed), static_cast<unsigned long long>(duplicates_most),
              static_cast<unsigned long long>(duplicates_total));
  // A window, one writing of acknowledgements, and what came in while it was being written.
  EXPECT_LE(duplicates_most, window + 2 * 512);

  // And the rest can be delivered.
  Storage storage(clock);
  Queue queue(storage, options_of(directory.path() / "queue", 0), logging.part("queue"));
  const std::uint64_t rest = queue.stats().messages;
  std::vector<Outgoing> taken;
  std::uint64_t delivered = 0;
  while (delivered < rest) {
    taken.clear();
    if (queue.take(taken, 100) == 0) storage.execute([] {});
    for (const Outgoing& one : taken) queue.acknowledge(one.sequence);
    delivered += taken.size();
  }
  queue.flush();
  EXPECT_EQ(queue.stats().messages, 0U);
  EXPECT_TRUE(queue.verify().differences.empty());
  munmap(shared, sizeof(Shared));
}

}  // namespace
}  // namespace sluice::queue
