// SPDX-License-Identifier: Apache-2.0
// Power cuts at any moment of a queue's life: while it fills, drains, retires files, begins anew. Of each life every call to
// the kernel is recorded, and disks are made as a cut may have left them; on each the queue opens, its ledger adds up, and
// what was promised is there.
//
// SLUICE_TEST_POWER_CUTS: how many disks each case makes; ten times the small dose with SLUICE_FULL=1. SLUICE_SEED repeats a run,
// as far as the threads do.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "queue/fixture.hpp"
#include "queue/recorded_disk.hpp"
#include "queue/seals.hpp"
#include "queue/simulated_disk.hpp"
#include "support/dose.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
constexpr unsigned cuts_a_life = 25;

struct Kind {
  const char* name;
  Durability level = Durability::strict;
  Sync sync = Sync::full;
  bool syncs_fail = false;
  bool fills_up = false;  // drops the oldest again and again
  int cuts = 100;         // the small dose
  bool lanes = false;     // by priority, live messages first, and some by topic
  bool large = false;     // messages that fill many segments, most of which are sealed
};

// What is known of a message, each as a position in the record.
struct Known {
  std::size_t offered = never;   // from here on it may be on the disk
  std::size_t promised = never;  // from here on it must
  std::size_t gone = never;      // from here on it need not any more
  bool dead = false;             // but as a dead letter, then
  Nanoseconds accepted_at{0};
  std::string id;  // under which it was handed out
};

// A queue that lives through everything, on a disk that is recorded.
class Life {
 public:
  Life(const Kind& kind, std::uint32_t seed) : kind_(kind), random_(seed) {
    options_.directory = directory_.path() / "queue";
    options_.set(kind.level);
    options_.sync = kind.sync;
    if (kind.lanes) options_.order = Order::live_first;
    options_.max_age = Nanoseconds(0);
    options_.reserve_free = 0;
    options_.max_bytes = kind.fills_up ? 3 << 20 : 16 << 20;  // segments of 1 MiB in either case
    options_.memory = 1 << 20;
    clock_.set_wall(
        std::chrono::hours(24 * 365 * 100));  // long after the files have changed: they are sealed
    begin();
    for (int step = 0; step < steps; ++step) live();
    end();
    operations_ = disk_.operations();
  }

  const std::vector<DiskOperation>& operations() const { return operations_; }
  const std::map<std::uint64_t, Known>& messages() const { return messages_; }
  const std::vector<std::pair<std::size_t, std::uint64_t>>& starts() const { return starts_; }
  const Options& options() const { return options_; }
  Nanoseconds ended() const { return clock_.wall(); }

 private:
  static constexpr int steps = 160;
  static constexpr std::size_t window = 200;

  unsigned below(unsigned end) { return static_cast<unsigned>(random_() % end); }

  void begin() {
    storage_ = std::make_unique<Storage>(
        clock_, [] { return true; },
        [](const fs::path&) {
          return std::optional(Space{std::uint64_t{1} << 40U, std::uint64_t{1} << 40U});
        });
    queue_ = std::make_unique<Queue>(*storage_, options_, logging_.part("queue"));
    starts_.emplace_back(disk_.position(), queue_->stats().start);
    held_.clear();
    ending_ = false;
  }
  void end() {
    ending_ = true;
    const bool all_written = queue_->stop();
    queue_.reset();
    storage_.reset();
    if (!kind_.syncs_fail && all_written) promise_all(Nanoseconds::max());
  }

  void live() {
    if (kind_.syncs_fail && below(6) == 0) disk_.fail_syncs(1 + below(3));
    switch (below(16)) {
      case 0:
        end();
        return begin();
      case 1:
      case 2:
        try {
          return queue_wide();
        } catch (const std::runtime_error&) {
          return;  // the disk refuses
        }
      case 3:
      case 4:
      case 5:
      case 6:
        return let_time_pass();
      case 7:
      case 8:
      case 9:
      case 10:
      case 11:
        return drain();
      default:
        return fill();
    }
  }

  void fill() {
    for (unsigned count = 1 + below(60); count > 0; --count) {
      const std::uint64_t number = ++last_;
      std::shared_ptr<void> answer;
      {
        const std::lock_guard lock(mutex_);
        messages_[number].offered = disk_.position();
        messages_[number].accepted_at = Nanoseconds::max();
      }
      if (below(8) == 0) answer = std::shared_ptr<void>(nullptr, [this, number](void*) { promise(number); });
      const bool large = kind_.large || below(4) == 0;
      Delivery delivery = delivery_of(number, large ? 4000 + below(8000) : 20 + below(900));
      if (kind_.lanes) choose_lane(delivery, number);
      while (queue_->append(std::move(delivery), answer) == Push::full) let_time_pass();
      {
        const std::lock_guard lock(mutex_);
        messages_[number].accepted_at = clock_.monotonic();
      }
      if (answer) look();
    }
  }

  // Each topic whose last value is kept has one message in its life: what supersedes is tested elsewhere.
  void choose_lane(Delivery& delivery, std::uint64_t number) {
    const unsigned lane = below(5);
    delivery.options.priority = lane == 0 ? Priority::high : lane == 1 ? Priority::low : Priority::normal;
    if (lane != 4) return;
    delivery.options.keep_last = true;
    delivery.rewritten_topic = "state/" + std::to_string(number);
  }

  void drain() {
    if (kind_.lanes && below(6) == 0) queue_->link_up();
    std::vector<Outgoing> taken;
    queue_->take(taken, window - std::min(window, held_.size()));
    for (Outgoing& one : taken) {
      const std::lock_guard lock(mutex_);
      messages_[number_in(one.delivery)].id = one.id;
      held_.push_back(std::move(one));
    }
    if (held_.empty()) return;
    if (below(5) == 0) std::shuffle(held_.begin(), held_.end(), random_);
    const std::size_t count = 1 + below(static_cast<unsigned>(held_.size()));
    for (std::size_t i = 0; i < count; ++i) {
      const unsigned way = below(300);
      let_go(number_in(held_[i].delivery), way == 0);
      if (way == 0) {
        queue_->dead_letter(held_[i].sequence, "refused");
      } else if (way == 1) {
        queue_->expire(held_[i].sequence);
      } else {
        queue_->acknowledge(held_[i].sequence);
      }
    }
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(count));
    look();
  }

  // The storage thread has done its work when it returns, so that a seed repeats a life.
  void look() {
    for (int round = 0; round < 6; ++round) storage_->execute([] {});
  }

  void let_time_pass() {
    clock_.advance(milliseconds(1 + below(4000)));
    look();
    // What was accepted longer ago than the level states is committed by now.
    // Not so where a limit holds the queue up for the moment, which it says.
    if (!kind_.syncs_fail && !queue_->stats().degraded) {
      promise_all(clock_.monotonic() - options_.persist_after - options_.commit_interval - milliseconds(1));
    }
  }

  void queue_wide() {
    if (below(12) == 0) {
      const std::uint64_t part = below(50);
      {
        const std::lock_guard lock(mutex_);
        for (auto& [number, known] : messages_) {
          if (number % 50 == part) known.gone = std::min(known.gone, disk_.position());
        }
      }
      queue_->drop([part](const Stored& stored) { return number_in(stored.delivery) % 50 == part; });
    } else if (below(2) == 0) {
      for (const Loss& loss : queue_->take_losses()) queue_->acknowledge_loss(loss.id);
    } else if (!kind_.syncs_fail) {
      queue_->flush();
      if (queue_->stats().in_memory == 0) promise_all(Nanoseconds::max());
    }
  }

  void promise(std::uint64_t number) {
    if (ending_) return;  // it says nothing any more
    const std::lock_guard lock(mutex_);
    Known& known = messages_[number];
    known.promised = std::min(known.promised, disk_.position());
  }
  void promise_all(Nanoseconds accepted_by) {
    const std::lock_guard lock(mutex_);
    for (auto& [number, known] : messages_) {
      if (known.accepted_at <= accepted_by) known.promised = std::min(known.promised, disk_.position());
    }
  }
  void let_go(std::uint64_t number, bool dead) {
    const std::lock_guard lock(mutex_);
    Known& known = messages_[number];
    if (known.gone != never) {
      // Dropped by the user while it was on its way; or a restart came before it was a dead letter, and now it is delivered.
      known.dead = known.dead && dead;
      return;
    }
    known.gone = disk_.position();
    known.dead = dead;
  }

  const Kind kind_;
  std::mt19937 random_;
  TemporaryDirectory directory_;
  RecordedDisk disk_{directory_.path()};
  ManualClock clock_;
  Logging logging_{[](Level, std::string_view, std::string_view) {}};
  Options options_;
  std::mutex mutex_;
  std::map<std::uint64_t, Known> messages_;  // guarded by mutex_
  std::atomic<bool> ending_ = false;
  std::uint64_t last_ = 0;
  std::vector<Outgoing> held_;
  std::vector<std::pair<std::size_t, std::uint64_t>> starts_;
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Queue> queue_;
  std::vector<DiskOperation> operations_;
};

struct Tally {
  std::uint64_t images = 0;
  std::uint64_t promised = 0;
  std::uint64_t delivered = 0;
  std::uint64_t again = 0;         // though it was acknowledged
  std::uint64_t counted = 0;       // by a limit, or as quarantined
  std::uint64_t missing = 0;       // all that is promised and not there
  std::uint64_t most_missing = 0;  // by one cut
  std::uint64_t bad = 0;           // images with something wrong
  std::uint64_t sealed = 0;        // segments whose seal was there
  std::string first_problem;
};

// Opens what a cut has left, and looks.
class Image {
 public:
  Image(const Life& life, std::size_t position, const fs::path& folder, Tally& tally)
      : life_(life), position_(position), tally_(tally) {
    Options options = life.options();
    options.directory = folder / "queue";
    clock_.set_wall(life.ended());
    clock_.reboot();
    // The times of all changes are lost.
    for (const Lane lane : all_lanes) {
      const fs::path place = options.directory / name_of(lane);
      tally_.sealed += make_seals_fit(options.directory / "mirror", lane, place);
    }
    try {
      open(options);
      read();
      compare();
      drain();
      close();
      open(options);
      verify("after a restart");
    } catch (const std::exception& error) {
      problem(error.what());
    }
    close();
    ++tally_.images;
    if (problems_.empty()) return;
    ++tally_.bad;
    if (tally_.first_problem.empty()) tally_.first_problem = problems_;
  }

 private:
  void open(const Options& options) {
    storage_ = std::make_unique<Storage>(
        clock_, [] { return true; },
        [](const fs::path&) {
          return std::optional(Space{std::uint64_t{1} << 40U, std::uint64_t{1} << 40U});
        });
    queue_ = std::make_unique<Queue>(*storage_, options, logging_.part("queue"));
  }
  void close() {
    queue_.reset();
    storage_.reset();
  }
  void problem(const std::string& text) { problems_ += text + "\n"; }

  void verify(const std::string& when) {
    const Verification verification = queue_->verify();
    for (const std::string& difference : verification.differences) problem(when + ": " + difference);
    if (!verification.ledger.balanced()) problem(when + ": the ledger does not add up");
    const Stats stats = queue_->stats();
    if (verification.ledger.stored != stats.messages) problem(when + ": another number is stored");
    if (stats.degraded) problem(when + ": degraded: " + stats.problem);
  }

  void read() {
    verify("at the opening");
    const Stats stats = queue_->stats();
    if (stats.quarantine.cases > 0 && life_.options().sync == Sync::full) {
      problem("damage: " + stats.quarantine.latest);
    }
    for (const auto& [at, start] : life_.starts()) {
      if (at <= position_ && start < std::uint64_t{1} << 63U && stats.start <= start) {
        problem("the start " + std::to_string(start) + " is used again");
      }
    }
    std::map<Lane, std::uint64_t> latest;
    for (std::uint64_t after = 0;;) {
      const std::vector<Stored> rows = queue_->read(after, 1000);
      if (rows.empty()) break;
      for (const Stored& row : rows) {
        if (!row.delivery.message->payload) throw std::runtime_error("a message of another kind is there");
        const std::uint64_t number = number_in(row.delivery);
        std::uint64_t& last = latest[lane_of(row.sequence)];
        if (number <= last) problem(std::to_string(number) + " comes after " + std::to_string(last));
        last = number;
        stored_.insert(number);
        const Known& known = life_.messages().at(number);
        if (known.offered > position_) problem(std::to_string(number) + " is there before it was offered");
        // What was salvaged may have lost the number of its start.
        const bool salvaged = stats.quarantine.cases > 0;
        if (!known.id.empty() && known.id != row.id && !salvaged) problem(row.id + " was " + known.id);
      }
      after = rows.back().sequence;
    }
    if (stored_.size() != stats.messages) problem("what can be read is another number than is stored");
    constexpr std::size_t all = 100'000;
    for (const DeadLetter& letter : queue_->read_dead_letters(0, all)) {
      if (letter.delivery) dead_.insert(number_in(*letter.delivery));
    }
  }

  void compare() {
    const Ledger ledger = queue_->stats().ledger;
    std::uint64_t missing = 0;
    for (const auto& [number, known] : life_.messages()) {
      const bool is_there = stored_.count(number) != 0 || (known.dead && dead_.count(number) != 0);
      const bool let_go = known.gone <= position_;
      if (is_there) {
        ++tally_.delivered;
        tally_.again += let_go && !known.dead ? 1 : 0;
      }
      if (known.promised > position_) continue;
      ++tally_.promised;
      if (is_there || (let_go && !known.dead)) continue;
      ++missing;
      missing_.push_back(number);
    }
    const std::uint64_t counted = ledger.dropped_by_limit() + ledger.counts[Way::quarantined];
    tally_.missing += missing;
    tally_.most_missing = std::max(tally_.most_missing, missing);
    // Without syncs, what a clean stop has left is there all the same.
    const auto stopped = std::find_if(life_.starts().rbegin(), life_.starts().rend(),
                                      [&](const auto& start) { return start.first <= position_; });
    for (const std::uint64_t number : missing_) {
      if (stopped != life_.starts().rend() && life_.messages().at(number).promised <= stopped->first &&
          counted == 0) {
        problem(std::to_string(number) + " was there at a clean stop, and is lost");
      }
    }
    tally_.counted += std::min(missing, counted);
    if (life_.options().sync == Sync::full && missing > counted) {
      const std::uint64_t number = missing_.back();
      const Known& known = life_.messages().at(number);
      problem(std::to_string(missing - counted) + " are lost, such as " + std::to_string(number) +
              (known.dead ? ", a dead letter" : "") + ", offered at " + std::to_string(known.offered) +
              ", promised at " + std::to_string(known.promised) + ", gone at " + std::to_string(known.gone) +
              ", cut at " + std::to_string(position_) + " of " + std::to_string(life_.operations().size()) +
              "; stored " + std::to_string(stored_.size()) + " up to " +
              (stored_.empty() ? "none" : std::to_string(*stored_.rbegin())));
    }
  }

  void drain() {
    const std::uint64_t rest = queue_->stats().messages;
    std::uint64_t delivered = 0;
    std::vector<Outgoing> taken;
    for (int idle = 0; delivered < rest && idle < 20;) {
      taken.clear();
      if (queue_->take(taken, 1000) == 0) {
        clock_.advance(seconds(1));
        storage_->execute([] {});
        ++idle;
        continue;
      }
      idle = 0;
      for (const Outgoing& one : taken) {
        if (stored_.count(number_in(one.delivery)) == 0) problem("handed out, and not stored");
        queue_->acknowledge(one.sequence);
      }
      delivered += taken.size();
    }
    queue_->flush();
    if (queue_->stats().messages != 0) {
      problem(std::to_string(queue_->stats().messages) + " cannot be delivered: " + queue_->stats().problem +
              queue_->stats().quarantine.latest);
    }
    verify("once drained");
  }

  const Life& life_;
  const std::size_t position_;
  Tally& tally_;
  ManualClock clock_;
  Logging logging_{[](Level, std::string_view, std::string_view) {}};
  std::unique_ptr<Storage> storage_;
  std::unique_ptr<Queue> queue_;
  std::set<std::uint64_t> stored_;
  std::set<std::uint64_t> dead_;
  std::vector<std::uint64_t> missing_;
  std::string problems_;
};

void cut_power(const Life& life, std::uint32_t seed, unsigned cuts, bool ignore_syncs, Tally& tally) {
  std::mt19937 random(seed);
  std::vector<std::size_t> positions;
  for (unsigned i = 0; i < cuts; ++i) positions.push_back(1 + random() % life.operations().size());
  std::sort(positions.begin(), positions.end());
  SimulatedDisk disk(seed, ignore_syncs);
  auto next = positions.begin();
  for (std::size_t position = 1; position <= life.operations().size(); ++position) {
    disk.apply(life.operations()[position - 1]);
    for (; next != positions.end() && *next == position; ++next) {
      const TemporaryDirectory folder;
      disk.cut(folder.path());
      Image(life, position, folder.path(), tally);
    }
  }
}

class PowerCut : public testing::TestWithParam<Kind> {
 protected:
  Tally cut(bool ignore_syncs = false) const {
    const Kind kind = GetParam();
    const auto cuts = static_cast<unsigned>(test::dose("SLUICE_TEST_POWER_CUTS", kind.cuts, 10 * kind.cuts));
    const std::uint32_t seed = test::seed();
    Tally tally;
    for (unsigned made = 0, life = 0; made < cuts; made += cuts_a_life, ++life) {
      cut_power(Life(kind, seed + life), seed + life, std::min(cuts_a_life, cuts - made), ignore_syncs,
                tally);
    }
    std::cout << tally.images << " power cuts, committed " << tally.promised << ", there " << tally.delivered
              << ", acknowledged ones again " << tally.again << ", counted away " << tally.counted
              << ", lost " << tally.missing - tally.counted << " (at most " << tally.most_missing
              << " by a cut)"
              << ", disks with something wrong " << tally.bad << ", sealed segments " << tally.sealed << '\n';
    return tally;
  }
};

using SyncedPowerCut = PowerCut;

TEST_P(SyncedPowerCut, LeavesAllThatWasCommittedAndALedgerThatAddsUp) {
  const Tally tally = cut();
  EXPECT_EQ(tally.bad, 0U) << tally.first_problem;
  EXPECT_EQ(tally.missing, tally.counted);
  EXPECT_GT(tally.promised, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SyncedPowerCut,
    testing::Values(Kind{"Strict"}, Kind{"Balanced", Durability::balanced}, Kind{"Flash", Durability::flash},
                    Kind{"Large", Durability::balanced, Sync::full, false, false, 100, false, true},
                    Kind{"Full", Durability::strict, Sync::full, false, true},
                    Kind{"AfterFailedSyncs", Durability::strict, Sync::full, true},
                    Kind{"Lanes", Durability::strict, Sync::full, false, false, 100, true},
                    Kind{"LanesThatFillUp", Durability::balanced, Sync::full, false, true, 50, true}),
    [](const auto& kind) { return std::string(kind.param.name); });

// The control: on a disk that ignores syncs the same lives must show damage, or these tests see nothing.
using LyingPowerCut = PowerCut;

TEST_P(LyingPowerCut, ShowsDamage) {
  const Tally tally = cut(true);
  EXPECT_GT(tally.bad, tally.images / 2) << "syncs make no difference";
}

INSTANTIATE_TEST_SUITE_P(Kinds, LyingPowerCut,
                         testing::Values(Kind{"Strict", Durability::strict, Sync::full, false, false, 25}),
                         [](const auto& kind) { return std::string(kind.param.name); });

// With sync = "normal" a cut takes the last moments along: never damage, and never more than the logs that were not
// written back.
using UnsyncedPowerCut = PowerCut;

TEST_P(UnsyncedPowerCut, LosesOnlyTheLastMomentsAndDamagesNothing) {
  const Tally tally = cut();
  EXPECT_EQ(tally.bad, 0U) << tally.first_problem;
  EXPECT_GT(tally.missing, 0U) << "it is as good as full";
}

INSTANTIATE_TEST_SUITE_P(Kinds, UnsyncedPowerCut,
                         testing::Values(Kind{"Strict", Durability::strict, Sync::normal, false, false, 50}),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace sluice::queue
