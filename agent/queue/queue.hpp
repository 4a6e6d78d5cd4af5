// SPDX-License-Identifier: Apache-2.0
// Store-and-forward for one destination: takes deliveries in, keeps them in memory and on disk until their
// acknowledgement, and hands them out in order. Owned by the agent; the storage outlives it.
//
// Committed: written to disk in a finished transaction. From then on a message leaves in one of the counted
// ways only (ledger.hpp). docs of the files: chain.hpp, segment.hpp, state_file.hpp, dead_letters.hpp.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/mailbox.hpp"
#include "base/message.hpp"
#include "queue/format_error.hpp"
#include "queue/lane.hpp"
#include "queue/ledger.hpp"
#include "queue/losses.hpp"
#include "queue/options.hpp"
#include "queue/stats.hpp"
#include "queue/storage.hpp"

namespace sluice::queue {

/// A delivery handed to the forwarder.
struct Outgoing {
  std::uint64_t sequence = 0;
  std::string id;  ///< "start/sequence": never used twice in this queue
  Delivery delivery;
  bool replayed = false;  ///< read back from disk
};

enum class Use : std::uint8_t {
  run,     ///< the agent, and the command line that puts messages in: begins a new start, accepts messages
  inspect  ///< the command line with the agent stopped: creates nothing, accepts nothing; read, drop, verify
};

class Tail;
class Keeper;

class Queue {
 public:
  /// Opens the files, on the storage thread, without reading the backlog. Where the disk fails the queue
  /// begins degraded and goes on trying. Throws FormatError.
  Queue(Storage& storage, Options options, Log log, Use use = Use::run);
  ~Queue();  ///< stops
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// From any thread; never waits for the disk. On `full` (no memory left) and `closed` the delivery is left
  /// as it was. `until_committed` is let go when the message is committed, or has left the queue without
  /// (acknowledged, expired, a dead letter that is on disk): its last owner's deleter is the answer to emit_durable. With it, and with
  /// priority high, the message is committed at once; it is then never dropped for want of disk space before
  /// it is committed: `full` is answered instead. Keep an owner of your own
  /// until append() has answered, since what is refused is let go too. After stop() has begun it says nothing.
  Push append(Delivery&& delivery, std::shared_ptr<void> until_committed = nullptr);

  /// The same for several: all of them or none, whatever other threads append meanwhile.
  Push append_all(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed = nullptr);

  /// The two halves of append_all(), for what goes to several queues, all of them or none: reserve() holds room and
  /// answers, then append_reserved() takes the same deliveries, or cancel() gives the room back. `wants_commit`: an
  /// `until_committed` will come with them.
  Push reserve(std::span<const Delivery> deliveries, bool wants_commit);
  void append_reserved(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed);
  void cancel(std::span<const Delivery> deliveries);

  /// Waits until there is room for what was refused last; false: time-out, or closed. Any thread.
  bool wait_room(std::chrono::nanoseconds timeout);

  // The forwarder's thread; none waits for the disk, not even for a commit in its fsync.

  /// Appends up to `max` deliveries to `out`: the next ones not yet taken, lane by lane (lane.hpp), in each in order, or with
  /// Order::live_first what came since link_up() first. Without `backlog` only what came since then and may be sent before
  /// what waited. Answers how many. Times that the
  /// host took before its clock was set are corrected as soon as it has been (clocks.hpp). Each
  /// is handed out once a start: the caller keeps it until one of the three below.
  std::size_t take(std::vector<Outgoing>& out, std::size_t max, bool backlog = true);
  /// What is appended from now on is live, what waits is the backlog.
  void link_up();
  /// Each sequence once and for good; what is not known, or gone already, is ignored.
  void acknowledge(std::uint64_t sequence);
  void dead_letter(std::uint64_t sequence, std::string reason);
  void expire(std::uint64_t sequence);

  /// What the limits have dropped and upstream is to be told: records that are not on their way. Each is answered by
  /// one of the two after it; until it is acknowledged it outlives restarts.
  std::vector<Loss> take_losses();
  void acknowledge_loss(const std::string& id);
  void give_back_loss(const std::string& id);

  /// `call` is called when take() or take_losses() may give something after it gave nothing: by any thread, without locks,
  /// briefly. `appended`: by the one that has just appended it, from within append().
  void on_ready(std::function<void(bool appended)> call);

  /// Whether the wall clock is right, as far as the kernel knows. Any thread.
  bool clock_is_synchronised() const;

  /// Any thread; never waits for the disk.
  Stats stats() const;

  // Any thread but the storage's; they wait for the disk, and throw std::runtime_error (sqlite::Error).

  /// Up to `max` stored messages after that sequence, in order, fewer where they are large; none: there are no more.
  std::vector<Stored> read(std::uint64_t after_sequence, std::size_t max);
  /// Drops what `which` chooses of everything that is kept, all without it: the number dropped. What the
  /// forwarder has taken may still be delivered.
  std::uint64_t drop(const std::function<bool(const Stored&)>& which = nullptr);
  /// Appends the first of them, as far as there is room without that anything is dropped for their sake, and answers
  /// how many when those are committed; 0: there is no room for the first one. Where it throws, they may be committed
  /// later.
  std::size_t commit(std::span<Delivery> deliveries);

  /// Up to `max` dead letters with a number above `after`, oldest first.
  std::vector<DeadLetter> read_dead_letters(std::uint64_t after, std::size_t max);
  using WhichLetters = std::function<bool(const DeadLetter&)>;
  struct Retried {
    std::uint64_t count = 0;
    std::vector<std::string> unreadable;  ///< ids of chosen ones whose bytes cannot be read: they stay
    bool full = false;                    ///< there was no room for the others: they stay
  };
  /// Puts those that are there back into the queue, as new messages. A letter goes when its message is committed: a crash
  /// costs a duplicate, at most one portion of them, never a loss.
  Retried retry_dead_letters(const WhichLetters& which);
  /// For good; how many.
  std::uint64_t drop_dead_letters(const WhichLetters& which);

  /// Counts everything again and compares.
  Verification verify();
  /// The user knows of all damaged files that were put aside; how many were new.
  std::uint64_t acknowledge_damage();
  /// Commits everything that is not acknowledged, as far as the limits leave room, and what was acknowledged.
  void flush();

  /// Accepts nothing more, writes everything that is not acknowledged and what was, and closes the files.
  /// False: the disk refused, what was only in memory is lost. Later calls do nothing.
  bool stop();

 private:
  void ready(bool appended) const;
  void act_on(bool ready, const std::optional<Nanoseconds>& write_by);
  void correct(Delivery& delivery) const;
  bool commit_portion(std::span<Delivery> deliveries, Lane lane, std::uint64_t bytes);
  void for_dead_letters(const std::function<bool(std::vector<DeadLetter>&&)>& portion);

  Storage& storage_;
  bool take_from(Tail& tail, std::size_t max, bool backlog, std::vector<Outgoing>& out);
  Tail& tail_of(std::uint64_t sequence) { return *tails_[index_of(lane_of(sequence))]; }
  Push append_to_several(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed);
  void settle(std::uint64_t sequence, Way way, std::string reason);

  const std::array<std::unique_ptr<Tail>, lane_count> tails_;  // in memory
  const std::unique_ptr<Keeper> keeper_;                       // on the storage thread
  std::atomic<Lane> refused_{Lane::normal};                    // had no room last
  mutable std::mutex on_ready_mutex_;
  std::function<void(bool)> on_ready_;  // guarded by on_ready_mutex_
  std::once_flag stopped_;
};

}  // namespace sluice::queue
