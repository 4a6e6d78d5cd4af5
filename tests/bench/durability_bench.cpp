// SPDX-License-Identifier: Apache-2.0
// Bytes that the queue writes for each message, counted where SQLite writes (by its VFS), and beside it all that the program
// writes to files (/proc/self/io).
//   durability_bench table MESSAGES [DIRECTORY]       each level, at 1, 10 and 100 messages a second, offline and online; the
//                                                     clock is injected, so that hours pass in seconds
//   durability_bench online MESSAGES [DIRECTORY]      at `balanced`, 100 a second, acknowledged after 2 ms
//   durability_bench saturated MESSAGES [DIRECTORY]   offline at `strict`, as fast as accepted, to the last checkpoint
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/payload.hpp"
#include "queue/queue.hpp"
#include "queue/shim_vfs.hpp"

namespace {

using namespace sluice;
using namespace std::chrono_literals;

// As the simulator makes them, with 100 bytes of JSON in the end.
Delivery delivery_of(std::uint64_t number, const Clock& clock) {
  auto message = std::make_shared<Message>();
  message->topic = bench::topic;
  message->input = "sim";
  message->time.wall_ns = clock.wall().count();
  message->time.monotonic_ns = clock.monotonic().count();
  message->time.boot = clock.boot();
  const std::size_t without_padding = 61 + std::to_string(number).size();
  message->samples.push_back({"value", static_cast<std::int64_t>(number), Quality::good, ""});
  message->samples.push_back(
      {"padding", std::string(bench::payload_bytes - without_padding, 'x'), Quality::good, ""});
  Delivery delivery;
  delivery.message = std::move(message);
  return delivery;
}

// Of every thread, to files: nothing here writes to anything else, but the lines of the table.
std::uint64_t bytes_to_files() {
  std::ifstream file("/proc/self/io");
  for (std::string key; file >> key;) {
    std::uint64_t value = 0;
    file >> value;
    if (key == "wchar:") return value;
  }
  throw std::runtime_error("/proc/self/io does not tell");
}

class Folder {
 public:
  explicit Folder(const std::filesystem::path& under) {
    std::string name = (under / "durability-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error(name + ": cannot be made");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Logging& logging() {
  static Logging to_stderr([](Level, std::string_view, std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  });
  return to_stderr;
}

struct Case {
  queue::Durability level;
  const char* name;
  unsigned rate;                       // messages a second
  std::optional<Nanoseconds> answers;  // after so long; nothing: offline
};

// One queue whose messages, acknowledgements and commits happen at their times on a clock of our own.
class Simulation {
 public:
  Simulation(const Case& simulated, const std::filesystem::path& under)
      : case_(simulated), folder_(under), storage_(clock_, [] { return true; }) {
    queue::Options options;
    options.directory = folder_.path() / "queue";
    options.set(case_.level);
    options.max_bytes = std::uint64_t{4} << 30U;
    commit_interval_ = options.commit_interval;
    queue_.emplace(storage_, options, logging().part("queue"));
    look();
  }

  /// Offline with the last checkpoint, so that the second copy of each page counts as it does in the long run.
  void run(std::uint64_t messages) {
    const Nanoseconds pause = std::chrono::duration_cast<Nanoseconds>(1s) / case_.rate;
    Nanoseconds next = clock_.monotonic();
    for (std::uint64_t number = 0; number < messages; next += pause) {
      pass_until(next);
      append(number++);
    }
    if (!case_.answers) queue_->stop();
  }

 private:
  void append(std::uint64_t number) {
    Delivery delivery = delivery_of(number, clock_);
    while (queue_->append(std::move(delivery)) == Push::full) look();
    if (!case_.answers) return;
    taken_.clear();
    queue_->take(taken_, 100);
    for (const queue::Outgoing& one : taken_)
      answers_.emplace_back(clock_.monotonic() + *case_.answers, one.sequence);
  }

  // Step by step: to each acknowledgement, and so often that commits come when they are due.
  void pass_until(Nanoseconds end) {
    while (clock_.monotonic() < end) {
      Nanoseconds next = end;
      if (queue_->stats().in_memory > 0) next = std::min(next, clock_.monotonic() + commit_interval_ / 2);
      if (!answers_.empty()) next = std::min(next, answers_.front().first);
      clock_.advance(next - clock_.monotonic());
      while (!answers_.empty() && answers_.front().first <= next) {
        queue_->acknowledge(answers_.front().second);
        answers_.pop_front();
      }
      look();
    }
  }

  void look() {
    for (int round = 0; round < 2; ++round) storage_.execute([] {});
  }

  const Case case_;
  const Folder folder_;
  ManualClock clock_;
  Nanoseconds commit_interval_{0};
  queue::Storage storage_;
  std::optional<queue::Queue> queue_;
  std::vector<queue::Outgoing> taken_;
  std::deque<std::pair<Nanoseconds, std::uint64_t>> answers_;
};

struct Written {
  double by_sqlite = 0;  // bytes a message
  double to_files = 0;
};

Written simulate(const Case& simulated, std::uint64_t messages, const std::filesystem::path& under) {
  const queue::ShimVfs vfs;
  Simulation simulation(simulated, under);
  const std::uint64_t sqlite_before = vfs.bytes_written();
  const std::uint64_t files_before = bytes_to_files();
  simulation.run(messages);
  const auto count = static_cast<double>(messages);
  return {static_cast<double>(vfs.bytes_written() - sqlite_before) / count,
          static_cast<double>(bytes_to_files() - files_before) / count};
}

void print_table(std::uint64_t messages, const std::filesystem::path& under) {
  struct Link {
    const char* name;
    std::optional<Nanoseconds> answers;
  };
  std::printf("| level | link | messages/s | bytes written a message | MB a day |\n");
  std::printf("| --- | --- | --- | --- | --- |\n");
  for (const auto& [level, name] :
       {std::pair{queue::Durability::strict, "strict"}, std::pair{queue::Durability::balanced, "balanced"},
        std::pair{queue::Durability::flash, "flash"}}) {
    for (const Link& link : {Link{"online, acknowledged after 2 ms", 2ms},
                             Link{"online, acknowledged after 300 ms", 300ms}, Link{"offline", {}}}) {
      for (const unsigned rate : {1U, 10U, 100U}) {
        const Written written = simulate({level, name, rate, link.answers}, messages, under);
        constexpr double seconds_a_day = 86'400;
        std::printf("| `%s` | %s | %u | %.1f | %.1f |\n", name, link.name, rate, written.to_files,
                    written.to_files * rate * seconds_a_day / 1e6);
        std::fflush(stdout);
      }
    }
  }
}

void print_saturated(std::uint64_t messages, const std::filesystem::path& under) {
  const Folder folder(under);
  const SystemClock clock;
  const queue::ShimVfs vfs;
  const std::uint64_t files_before = bytes_to_files();
  queue::Options options;
  options.directory = folder.path() / "queue";
  options.set(queue::Durability::strict);
  options.max_bytes = std::uint64_t{4} << 30U;
  {
    queue::Storage storage(clock);
    queue::Queue queue(storage, options, logging().part("queue"));
    for (std::uint64_t i = 0; i < messages; ++i) {
      Delivery delivery = delivery_of(i, clock);
      while (queue.append(std::move(delivery)) == Push::full) queue.wait_room(1s);
    }
    queue.flush();
    if (queue.stats().messages != messages) throw std::runtime_error("not all messages were committed");
  }
  const auto count = static_cast<double>(messages);
  std::printf(R"({"by_sqlite":%.1f,"to_files":%.1f})"
              "\n",
              static_cast<double>(vfs.bytes_written()) / count,
              static_cast<double>(bytes_to_files() - files_before) / count);
}

// The row of the comparison: online at 100 a second with `balanced`.
void print_online(std::uint64_t messages, const std::filesystem::path& under) {
  const Written written = simulate({queue::Durability::balanced, "balanced", 100, 2ms}, messages, under);
  std::printf(R"({"by_sqlite":%.2f,"to_files":%.2f})"
              "\n",
              written.by_sqlite, written.to_files);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[1] : "";
  if (what != "table" && what != "saturated" && what != "online") {
    std::fprintf(stderr, "usage: durability_bench table|saturated|online MESSAGES [DIRECTORY]\n");
    return 64;
  }
  const std::uint64_t messages = std::strtoull(argv[2], nullptr, 10);
  const std::filesystem::path under =
      argc > 3 ? std::filesystem::path(argv[3]) : std::filesystem::temp_directory_path();
  if (what == "table") print_table(messages, under);
  if (what == "saturated") print_saturated(messages, under);
  if (what == "online") print_online(messages, under);
}
