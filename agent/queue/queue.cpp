// SPDX-License-Identifier: Apache-2.0
#include "queue/queue.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "base/packed.hpp"
#include "queue/keeper.hpp"
#include "queue/tail.hpp"
#include "queue/verification.hpp"

namespace sluice::queue {
namespace {

// Another thread may be the one to let go of an answer, a moment after the commit.
constexpr std::chrono::seconds answer_within{2};

// What is in another lane than the usual one is little and soon gone.
std::size_t memory_of(Lane lane, std::size_t memory) {
  constexpr std::size_t least = 64U << 10U;
  return lane == Lane::normal ? memory : std::max(memory / 8, std::min(memory, least));
}

std::array<std::unique_ptr<Tail>, lane_count> make_tails(const Options& options) {
  std::array<std::unique_ptr<Tail>, lane_count> tails;
  for (const Lane lane : all_lanes) {
    tails[index_of(lane)] = std::make_unique<Tail>(Tail::Limits{.memory = memory_of(lane, options.memory),
                                                                .persist_after = options.persist_after,
                                                                .commit_interval = options.commit_interval,
                                                                .order = options.order,
                                                                .latest_only = lane == Lane::last});
  }
  return tails;
}

std::array<std::size_t, lane_count> bytes_by_lane(std::span<const Delivery> deliveries) {
  std::array<std::size_t, lane_count> bytes{};
  for (const Delivery& delivery : deliveries) {
    bytes[index_of(lane_of(delivery.options))] += Tail::bytes_of({&delivery, 1});
  }
  return bytes;
}

}  // namespace

Queue::Queue(Storage& storage, Options options, Log log, Use use)
    : storage_(storage),
      tails_(make_tails(options)),
      keeper_(std::make_unique<Keeper>(
          storage, std::move(options), tails_, [this] { ready(false); }, std::move(log))) {
  if (use == Use::inspect) {
    for (const auto& tail : tails_) tail->close();
  }
  storage_.execute([&] { keeper_->open(use == Use::run); });
  storage_.add(*keeper_);
}

Queue::~Queue() {
  stop();
}

void Queue::ready(bool appended) const {
  std::function<void(bool)> call;
  {
    const std::lock_guard lock(on_ready_mutex_);
    call = on_ready_;
  }
  if (call) call(appended);
}

Push Queue::append(Delivery&& delivery, std::shared_ptr<void> until_committed) {
  return append_all(std::span(&delivery, 1), until_committed);
}

Push Queue::append_all(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed) {
  if (deliveries.empty()) return Push::ok;
  const Lane lane = lane_of(deliveries.front().options);
  if (!std::all_of(deliveries.begin(), deliveries.end(),
                   [lane](const Delivery& delivery) { return lane_of(delivery.options) == lane; })) {
    return append_to_several(deliveries, until_committed);
  }
  Tail::Released released;
  const Tail::Appended appended =
      tails_[index_of(lane)]->append(deliveries, until_committed, storage_.clock().monotonic(), released);
  if (appended.push == Push::full) refused_ = lane;
  act_on(appended.ready, appended.write_by);
  return appended.push;
}

Push Queue::append_to_several(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed) {
  const Push push = reserve(deliveries, until_committed.use_count() > 0);
  if (push == Push::ok) append_reserved(deliveries, until_committed);
  return push;
}

Push Queue::reserve(std::span<const Delivery> deliveries, bool wants_commit) {
  const std::array<std::size_t, lane_count> bytes = bytes_by_lane(deliveries);
  for (const Lane lane : all_lanes) {
    if (bytes[index_of(lane)] == 0) continue;
    Tail::Released released;
    const Tail::Appended room = tails_[index_of(lane)]->reserve(bytes[index_of(lane)], wants_commit,
                                                                storage_.clock().monotonic(), released);
    act_on(room.ready, room.write_by);
    if (room.push == Push::ok) continue;
    if (room.push == Push::full) refused_ = lane;
    for (std::size_t i = 0; i < index_of(lane); ++i) tails_[i]->cancel(bytes[i]);
    return room.push;
  }
  return Push::ok;
}

void Queue::append_reserved(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed) {
  const Nanoseconds now = storage_.clock().monotonic();
  for (Delivery& delivery : deliveries) {
    Tail::Released released;
    const Tail::Appended appended = tails_[index_of(lane_of(delivery.options))]->append_reserved(
        {&delivery, 1}, until_committed, now, released);
    act_on(appended.ready, appended.write_by);
  }
}

void Queue::cancel(std::span<const Delivery> deliveries) {
  const std::array<std::size_t, lane_count> bytes = bytes_by_lane(deliveries);
  for (std::size_t i = 0; i < lane_count; ++i) {
    if (bytes[i] > 0) tails_[i]->cancel(bytes[i]);
  }
}

void Queue::act_on(bool ready, const std::optional<Nanoseconds>& write_by) {
  if (ready) this->ready(true);
  if (write_by) storage_.wake_by(*write_by);
}

bool Queue::wait_room(std::chrono::nanoseconds timeout) {
  return tails_[index_of(refused_.load())]->wait_room(timeout);
}

std::size_t Queue::take(std::vector<Outgoing>& out, std::size_t max, bool backlog) {
  const std::size_t before = out.size();
  bool read_ahead = false;
  for (const auto& tail : tails_) {
    read_ahead = take_from(*tail, max - (out.size() - before), backlog, out) || read_ahead;
  }
  if (read_ahead) storage_.wake();
  return out.size() - before;
}

// True: the storage thread should read on.
bool Queue::take_from(Tail& tail, std::size_t max, bool backlog, std::vector<Outgoing>& out) {
  const std::size_t before = out.size();
  bool read_ahead = false;
  // Where none of them can be read, the next ones: to find nothing means that there is nothing.
  for (bool all_bad = max > 0; all_bad;) {
    Tail::Released released;
    Tail::Batch taken = tail.take(max, backlog, read_ahead, released);
    for (Tail::Taken& one : taken) {
      try {
        if (!one.delivery.message) one.delivery = unpack(one.packed);
      } catch (const UnpackError& error) {
        dead_letter(one.sequence, error.what());
        continue;
      }
      correct(one.delivery);
      out.push_back({one.sequence, id_of(one.start, one.sequence), std::move(one.delivery), one.replayed});
    }
    all_bad = !taken.empty() && out.size() == before;
  }
  return read_ahead;
}

void Queue::link_up() {
  for (const auto& tail : tails_) tail->link_up();
}

// Messages are shared: another destination may be at this one.
void Queue::correct(Delivery& delivery) const {
  const std::optional<Time> time = keeper_->clocks().corrected(delivery.message->time);
  if (!time) return;
  auto message = std::make_shared<Message>(*delivery.message);
  message->time = *time;
  delivery.message = std::move(message);
}

bool Queue::clock_is_synchronised() const {
  return keeper_->clocks().synchronised();
}

void Queue::settle(std::uint64_t sequence, Way way, std::string reason) {
  Tail::Released released;
  if (tail_of(sequence).settle(sequence, way, std::move(reason), released)) storage_.wake();
}

void Queue::acknowledge(std::uint64_t sequence) {
  settle(sequence, Way::acknowledged, {});
}

void Queue::dead_letter(std::uint64_t sequence, std::string reason) {
  settle(sequence, Way::dead_lettered, std::move(reason));
}

void Queue::expire(std::uint64_t sequence) {
  settle(sequence, Way::expired, {});
}

std::vector<Loss> Queue::take_losses() {
  return keeper_->losses().take();
}

void Queue::acknowledge_loss(const std::string& id) {
  keeper_->losses().acknowledge(id);
}

void Queue::give_back_loss(const std::string& id) {
  keeper_->losses().give_back(id);
}

void Queue::on_ready(std::function<void(bool)> call) {
  const std::lock_guard lock(on_ready_mutex_);
  on_ready_ = std::move(call);
}

Stats Queue::stats() const {
  return keeper_->stats();
}

std::vector<Stored> Queue::read(std::uint64_t after_sequence, std::size_t max) {
  std::vector<Stored> stored;
  storage_.execute([&] { stored = keeper_->read(after_sequence, max); });
  for (Stored& one : stored) correct(one.delivery);
  return stored;
}

std::uint64_t Queue::drop(const std::function<bool(const Stored&)>& which) {
  // What is in memory only is to be dropped too; where the disk refuses it, what is stored still can be.
  try {
    flush();
  } catch (const std::runtime_error&) {
  }
  std::uint64_t dropped = 0;
  if (!which) {
    storage_.execute([&] { dropped = keeper_->drop_all(); });
    return dropped;
  }
  // In portions, so that the storage thread serves the others in between.
  constexpr std::size_t portion = 500;
  std::uint64_t after = 0;
  while (true) {
    const std::vector<Stored> stored = read(after, portion);
    if (stored.empty()) return dropped;
    after = stored.back().sequence;
    std::vector<std::uint64_t> chosen;
    for (const Stored& message : stored) {
      if (which(message)) chosen.push_back(message.sequence);
    }
    if (chosen.empty()) continue;
    storage_.execute([&] { dropped += keeper_->drop(chosen); });
  }
}

Verification Queue::verify() {
  Verification verification;
  std::vector<std::pair<Lane, std::uint64_t>> segments;
  storage_.execute([&] {
    verification = keeper_->verify_totals();
    segments = keeper_->segments();
  });
  for (const auto& [lane, number] : segments) {
    storage_.execute(
        [&, lane = lane, number = number] { keeper_->verify_segment(lane, number, verification); });
  }
  verify_equation(verification);
  return verification;
}

std::uint64_t Queue::acknowledge_damage() {
  std::uint64_t fresh = 0;
  storage_.execute([&] { fresh = keeper_->acknowledge_damage(); });
  return fresh;
}

void Queue::flush() {
  storage_.execute([&] { keeper_->flush(); });
}

std::size_t Queue::commit(std::span<Delivery> deliveries) {
  // Each of one lane and within one transaction: what a second one needs is not known before the first.
  const std::uint64_t most_bytes = std::min<std::uint64_t>(tails_[index_of(Lane::normal)]->read_ahead_bytes(),
                                                           keeper_->transaction_bytes() / 2);
  std::uint64_t portion_bytes = most_bytes;
  std::size_t done = 0;
  while (done < deliveries.size()) {
    const Lane lane = lane_of(deliveries[done].options);
    std::size_t count = 1;
    std::uint64_t bytes = footprint(deliveries[done]);
    while (done + count < deliveries.size() && bytes < portion_bytes &&
           lane_of(deliveries[done + count].options) == lane) {
      bytes += footprint(deliveries[done + count++]);
    }
    try {
      if (commit_portion(deliveries.subspan(done, count), lane, bytes)) {
        done += count;
        portion_bytes = std::min(2 * portion_bytes, most_bytes);
      } else if (done == 0 && count > 1) {
        portion_bytes = bytes / 2;  // a part of them may fit
      } else {
        return done;
      }
    } catch (const std::runtime_error&) {
      if (done == 0) throw;
      return done;
    }
  }
  return done;
}

// All of them or, where there is no room, none. What is in memory is written before, so that it takes no room there.
bool Queue::commit_portion(std::span<Delivery> deliveries, Lane lane, std::uint64_t bytes) {
  bool room = false;
  storage_.execute([&] {
    keeper_->flush();
    room = keeper_->has_room(lane, bytes);
  });
  if (!room) return false;
  auto promise = std::make_shared<std::promise<void>>();
  const std::future<void> committed = promise->get_future();
  std::shared_ptr<void> answer(nullptr, [promise](void*) { promise->set_value(); });
  switch (append_all(deliveries, answer)) {
    case Push::ok:
      break;
    case Push::full:
      return false;
    case Push::closed:
      throw std::runtime_error("the queue takes nothing more: it is being stopped");
  }
  answer.reset();
  flush();
  if (committed.wait_for(answer_within) == std::future_status::ready) return true;
  throw std::runtime_error("taken, but not committed yet: " + stats().problem);
}

bool Queue::stop() {
  std::call_once(stopped_, [this] {
    for (const auto& tail : tails_) tail->close();
    try {
      storage_.execute([&] { keeper_->finish(); });
    } catch (const std::logic_error&) {
      // The storage has been stopped, and has finished this queue.
    }
    storage_.remove(*keeper_);
  });
  return keeper_->finished_well();
}

}  // namespace sluice::queue
