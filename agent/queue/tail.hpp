// SPDX-License-Identifier: Apache-2.0
// A queue's part in memory: what has been accepted and is not yet both committed and taken, what has been read
// ahead for the reader where it is behind, and what the storage thread has still to be told. Owned by the
// queue, safe from every thread: one mutex, never held over anything that takes long.
//
// Entries stand in ascending sequence and leave from the front. All that are not here are on disk or gone; all
// that are written are written in order: whatever is due takes everything before it along.
//
// Two cursors take. The one of the backlog goes through everything in order, read from disk where it is not here any
// more. With Order::live_first there is another, from where the link came up last: what it takes the first one leaves
// out. What it has not taken when the memory is needed becomes backlog.
#pragma once

#include <boost/container/deque.hpp>
#include <boost/container/small_vector.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/mailbox.hpp"
#include "base/message.hpp"
#include "queue/intervals.hpp"
#include "queue/ledger.hpp"
#include "queue/options.hpp"

namespace sluice::queue {

class Tail {
 public:
  struct Limits {
    std::size_t memory = 0;
    Nanoseconds persist_after{0};
    Nanoseconds commit_interval{0};
    Order order = Order::strict;
    bool latest_only = false;  ///< of each topic only the newest waits
  };

  /// What the forwarder gets; the start is the one of the row.
  struct Taken {
    std::uint64_t sequence = 0;
    std::uint64_t start = 0;
    Delivery delivery;
    bool replayed = false;
    std::string packed = {};  ///< read from disk: the delivery, to be unpacked
  };
  /// Few enough for the stack: a block of the heap for each would have the allocator tidy up, again and again.
  using Batch = boost::container::small_vector<Taken, 16>;
  /// Stays packed until it is taken: so it is smaller, and the thread that takes it allocates what it will free.
  struct ReadAhead {
    std::uint64_t sequence = 0;
    std::uint64_t start = 0;
    std::string packed;

    std::size_t bytes() const { return sizeof *this + packed.size(); }
  };
  /// What happened to sequences that have been written.
  struct Outcome {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    Way way = Way::acknowledged;
  };
  struct Dead {
    std::uint64_t sequence = 0;
    std::string reason;
    std::optional<Delivery> delivery;                 ///< nothing: it is on disk, to be settled there
    std::shared_ptr<void> until_committed = nullptr;  ///< let go when the letter is on disk
  };
  /// An entry that is being written; valid until finish_write().
  struct Pending {
    std::uint64_t sequence = 0;
    const Delivery* delivery = nullptr;
  };
  /// Let go, or freed, by whoever receives it, outside of every lock.
  using Released = std::vector<std::pair<Delivery, std::shared_ptr<void>>>;

  explicit Tail(const Limits& limits) : limits_(limits) {}

  /// The sequences begin at `next`; rows are on disk before it, or none. Until then nothing can be taken.
  void open(std::uint64_t start, std::uint64_t next, bool rows_on_disk);
  bool is_open() const;
  std::uint64_t next_sequence() const;

  struct Appended {
    Push push = Push::ok;
    bool ready = false;                   ///< the reader had found nothing
    std::optional<Nanoseconds> write_by;  ///< the storage thread has to look by then
  };
  /// All of them or none; what is not taken is left as it was.
  Appended append(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed,
                  Nanoseconds now, Released& released);
  /// What they take of the memory.
  static std::size_t bytes_of(std::span<const Delivery> deliveries);
  /// The first half of append(): room, held until append_reserved() or cancel().
  Appended reserve(std::size_t bytes, bool somebody_waits, Nanoseconds now, Released& released);
  Appended append_reserved(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed,
                           Nanoseconds now, Released& released);
  void cancel(std::size_t bytes);
  /// Waits until there is room for what was refused last.
  bool wait_room(Nanoseconds timeout);
  void close();
  /// Freed by those who append, a few at a time: memory is freed soonest by the thread that took it, and its
  /// allocator's lock is not fought over. What they have not freed until the next time is freed here.
  void hand_back(Released&& released);

  /// Up to `max`, in order; without `backlog` only what has come since the link is up, and may go before the rest.
  /// `read_ahead`: the storage thread should read on.
  Batch take(std::size_t max, bool backlog, bool& read_ahead, Released& released);
  /// What comes from now on is live, everything before is backlog.
  void link_up();
  /// True: the storage thread has something to do at once.
  bool settle(std::uint64_t sequence, Way way, std::string reason, Released& released);

  // The storage thread.

  /// When something has to be written; nothing: never, as things are.
  std::optional<Nanoseconds> write_at(Nanoseconds now) const;
  /// Everything accepted until now is due at once.
  void make_all_due();
  /// The next that are due, ascending, up to `max_rows` and about `max_bytes`.
  std::vector<Pending> begin_write(std::size_t max_rows, std::size_t max_bytes, Nanoseconds now);
  /// They have been written up to `written_to`; those after it are to be written still.
  void finish_write(std::uint64_t written_to, Released& released);
  /// Instead of writing: what is due goes, but what somebody waits for. How many went.
  std::uint64_t drop_due(Nanoseconds now, Released& released);
  void set_disk_full(bool full);

  /// Once after link_up(), where live messages go first: their rows begin a new segment.
  bool take_new_edge();

  /// After which sequence to read, where the reader is behind and needs more. Nothing until somebody takes: at a start without
  /// a link nothing is held in memory, and the rest of the start has the disk and the processor.
  std::optional<std::uint64_t> wants_rows() const;
  /// The rows after that sequence: all up to `reached`, or all there are. True: the reader had found nothing.
  bool add_rows(std::vector<ReadAhead>& rows, std::uint64_t reached, bool end, Released& released);
  /// This part of the memory is for what is read ahead, the rest for what is accepted.
  std::size_t read_ahead_bytes() const { return limits_.memory / 4; }

  std::vector<Outcome> take_outcomes();
  void give_back_outcomes(std::vector<Outcome>&& outcomes);
  std::vector<Dead> take_dead();
  void give_back_dead(std::vector<Dead>&& dead);
  bool has_outcomes() const;
  /// They are gone from disk: nothing of them is to be handed out any more.
  void forget(const Interval& range, Released& released);

  struct Reading {
    std::uint64_t in_memory = 0;
    std::uint64_t bytes = 0;
    std::uint64_t passed = 0;
    std::uint64_t passed_other = 0;
    std::uint64_t dropped_newest = 0;
    std::uint64_t start = 0;
    std::optional<std::int64_t> oldest_ts;
  };
  Reading reading() const;

 private:
  /// So many that waiting for more would not make a transaction cheaper.
  static constexpr std::size_t worth_writing_rows = 1000;
  static constexpr std::uint64_t no_live = std::numeric_limits<std::uint64_t>::max();
  enum class State : std::uint8_t { pending, writing, committed, gone };
  struct Entry {
    std::uint64_t sequence = 0;
    Delivery delivery;
    std::shared_ptr<void> until_committed;
    Nanoseconds due{0};
    std::size_t bytes = 0;
    State state = State::pending;
    bool at_once = false;
  };
  // Memory for many at a time: one thread takes it and another gives it back.
  using Entries = boost::container::deque<
      Entry, void, boost::container::deque_options_t<boost::container::block_bytes<std::size_t{8} << 10U>>>;

  // A shared pointer may point at nothing and still have a deleter to be called.
  static bool is_awaited(const std::shared_ptr<void>& until_committed) {
    return until_committed.use_count() > 0;
  }
  std::size_t index_of(std::uint64_t sequence) const;
  std::uint64_t front_sequence() const;
  bool behind() const { return covered_to_ + 1 < front_sequence(); }
  bool due(const Entry& entry, Nanoseconds now) const;
  void release(Entry& entry, Released& released);
  void forget_newest(const Entry& entry);
  void pop_front(Released& released);
  void trim(Released& released);
  void take_live(std::size_t max, Batch& taken);
  void take_backlog(std::size_t max, Batch& taken);
  void join_live();
  void skip_written();
  void note(std::uint64_t sequence, Way way);
  void note_settled(std::uint64_t sequence, Way way, std::string reason);
  void note_dead(Entry& entry, std::string reason);
  void count_unwritten(Way way);
  std::optional<Nanoseconds> push_back(Delivery&& delivery, const std::shared_ptr<void>& until_committed,
                                       Nanoseconds now);
  Appended make_room(std::size_t bytes, bool somebody_waits, Nanoseconds now, Released& released);
  Appended push_all(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed,
                    Nanoseconds now, Released& released);
  void supersede(const std::string& topic, Released& released);
  void leave_unwritten(Entry& entry, Way way, Released& released);
  bool is_taken(std::uint64_t sequence) const;
  bool fits(std::size_t bytes) const;
  void freed();
  void take_back(Released& released);

  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  // guarded by mutex_
  Entries entries_;
  std::deque<ReadAhead> buffer_;
  std::size_t entry_bytes_ = 0;
  std::size_t buffer_bytes_ = 0;
  std::size_t reserved_bytes_ = 0;  // for what is appended next
  std::size_t pending_bytes_ = 0;
  std::uint64_t pending_ = 0;  // pending or writing, not gone
  std::uint64_t at_once_ = 0;  // pending entries that somebody waits for
  std::uint64_t start_ = 0;
  std::uint64_t next_ = 1;
  std::uint64_t pending_from_ = 1;  // no entry before is pending
  std::uint64_t due_to_ = 0;        // due whatever their time says
  std::uint64_t writing_from_ = 0;
  std::uint64_t writing_to_ = 0;       // 0: nothing is being written
  std::uint64_t covered_to_ = 0;       // the reader has taken, or has in its buffer, everything up to here
  std::uint64_t live_from_ = 0;        // where the link came up last
  std::uint64_t live_next_ = no_live;  // the live cursor: everything from here on is in memory, or gone
  Intervals taken_live_;               // above covered_to_
  bool new_edge_ = false;
  std::unordered_map<std::string, std::uint64_t> newest_;  // pending, by topic, where that matters
  std::optional<Nanoseconds> early_due_;                   // of what has been superseded unwritten
  Released handed_back_;
  std::vector<Outcome> outcomes_;
  std::vector<Dead> dead_;
  std::vector<std::pair<Outcome, std::string>> settled_while_writing_;
  std::uint64_t passed_ = 0;
  std::uint64_t passed_other_ = 0;
  std::uint64_t dropped_newest_ = 0;
  std::size_t waiting_for_room_ = 0;
  std::size_t refused_bytes_ = 512;  // of what was refused last; before that, a small message
  bool is_open_ = false;
  bool closed_ = false;
  bool hungry_ = false;          // take() gave nothing
  bool somebody_takes_ = false;  // take() was called
  bool disk_full_ = false;
};

}  // namespace sluice::queue
