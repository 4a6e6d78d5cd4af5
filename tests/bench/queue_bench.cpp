// SPDX-License-Identifier: Apache-2.0
// The queue against bare SQLite, in one run: messages of 100 bytes, from the first append to the last commit at
// `strict`, beside the same rows inserted 1000 a transaction at synchronous=FULL; and how fast they are taken
// and acknowledged again.
//
//   queue_bench [MESSAGES] [ROUNDS] [DIRECTORY]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/packed.hpp"
#include "bench/bare_inserts.hpp"
#include "queue/queue.hpp"

namespace {

using sluice::Delivery;
using Seconds = std::chrono::duration<double>;

Delivery delivery_of(std::uint64_t number) {
  auto message = std::make_shared<sluice::Message>();
  message->topic = "plant/line1/machine7/values";  // 27 bytes
  message->input = "bench";
  message->time.wall_ns = static_cast<std::int64_t>(number);
  message->payload = std::string(100, 'x');
  Delivery delivery;
  delivery.message = std::move(message);
  return delivery;
}

std::string packed_delivery() {
  std::string data;
  pack(delivery_of(1), data);
  return data;
}

// Of all threads: what counts where others use the machine too.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Rates {
  double append = 0;
  double drain = 0;
  double append_processor = 0;  // seconds of all threads
  double drain_processor = 0;
};

Rates queue_per_second(const std::filesystem::path& directory, std::uint64_t messages) {
  const sluice::SystemClock clock;
  sluice::Logging logging([](sluice::Level, std::string_view, std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  });
  sluice::queue::Options options;
  options.directory = directory;
  options.set(sluice::queue::Durability::strict);
  sluice::queue::Storage storage(clock);
  sluice::queue::Queue queue(storage, options, logging.part("queue"));
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false;
  queue.on_ready([&](bool) {
    const std::lock_guard lock(mutex);
    ready = true;
    changed.notify_one();
  });

  auto begin = std::chrono::steady_clock::now();
  double processor = processor_seconds();
  for (std::uint64_t i = 1; i <= messages; ++i) {
    Delivery delivery = delivery_of(i);
    while (queue.append(std::move(delivery)) == sluice::Push::full) queue.wait_room(std::chrono::seconds(1));
  }
  queue.flush();
  Seconds taken = std::chrono::steady_clock::now() - begin;
  Rates rates;
  rates.append = static_cast<double>(messages) / taken.count();
  rates.append_processor = processor_seconds() - processor;
  if (queue.stats().messages != messages) throw std::runtime_error("not all messages were committed");

  begin = std::chrono::steady_clock::now();
  processor = processor_seconds();
  std::vector<sluice::queue::Outgoing> out;
  for (std::uint64_t drained = 0; drained < messages;) {
    out.clear();
    if (queue.take(out, 100) == 0) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return std::exchange(ready, false); });
    }
    for (const auto& one : out) queue.acknowledge(one.sequence);
    drained += out.size();
  }
  queue.flush();
  taken = std::chrono::steady_clock::now() - begin;
  rates.drain = static_cast<double>(messages) / taken.count();
  rates.drain_processor = processor_seconds() - processor;
  if (queue.stats().messages != 0) throw std::runtime_error("not all messages were drained");
  return rates;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t messages = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  std::string name =
      ((argc > 3 ? std::filesystem::path(argv[3]) : std::filesystem::temp_directory_path()) / "queue-XXXXXX")
          .string();
  if (mkdtemp(name.data()) == nullptr) return 1;
  const std::filesystem::path directory = name;
  std::printf(
      "| round | bare inserts/s | appended to committed/s | ratio | drained/s | ratio |"
      " processor, us a message: bare | appended | drained |\n");
  std::printf("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (int round = 1; round <= rounds; ++round) {
    const double processor = processor_seconds();
    const double bare =
        sluice::bench::bare_inserts_per_second(directory / "bare.sqlite", messages, packed_delivery());
    const double bare_processor = processor_seconds() - processor;
    const Rates rates = queue_per_second(directory / "queue", messages);
    const double micro = 1e6 / static_cast<double>(messages);
    std::printf("| %d | %.0f | %.0f | %.2f | %.0f | %.2f | %.2f | %.2f | %.2f |\n", round, bare, rates.append,
                rates.append / bare, rates.drain, rates.drain / bare, bare_processor * micro,
                rates.append_processor * micro, rates.drain_processor * micro);
    std::fflush(stdout);
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      std::filesystem::remove_all(entry.path());
    }
  }
  std::filesystem::remove_all(directory);
}
