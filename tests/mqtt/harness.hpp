// SPDX-License-Identifier: Apache-2.0
// A session with a listener that behaves like the forwarder: it keeps what is unanswered, publishes again what
// the session has forgotten, and records everything. The test thread looks at it under its lock.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "mqtt/session.hpp"
#include "support/wait_until.hpp"

namespace sluice::mqtt::test {

struct Refusal {
  std::uint64_t token = 0;
  std::uint8_t reason = 0;
  bool for_good = false;
};

struct Record {
  std::vector<bool> ups;  // in_flight_kept of each
  std::vector<std::string> downs;
  std::vector<std::uint64_t> acknowledged;
  std::vector<Refusal> refusals;
  std::vector<std::pair<Message, Inbound>> messages;
  std::vector<std::pair<std::uint64_t, std::string>> unacceptable;  // token, why
  std::size_t most_in_flight = 0;
  std::vector<std::pair<Level, std::string>> log;
  std::map<std::uint64_t, Publication> unanswered;
  std::set<std::thread::id> publishers;  ///< the threads in which something was published
};

class Harness : public Listener {
 public:
  explicit Harness(Options options)
      : logging_([this](Level level, std::string_view, std::string_view text) {
          change([&](Record& record) { record.log.emplace_back(level, text); });
        }),
        session_(std::move(options), *this, clock_, metrics_, logging_.part("mqtt")) {}
  ~Harness() override { session_.stop(std::chrono::seconds(5)); }

  Session& session() { return session_; }
  Metrics& metrics() { return metrics_; }

  /// To be published in order; answers its token.
  std::uint64_t add(std::string topic, std::string payload, std::uint8_t qos = 1) {
    Publication publication;
    publication.topic = std::move(topic);
    publication.payload = std::move(payload);
    publication.qos = qos;
    return add(std::move(publication));
  }
  std::uint64_t add(Publication publication) {
    const std::uint64_t token = put(std::move(publication));
    session_.wake();
    return token;
  }
  /// The same, published in this thread where the session lets it.
  void add_here(std::string topic, std::string payload) {
    Publication publication;
    publication.topic = std::move(topic);
    publication.payload = std::move(payload);
    publication.qos = 1;
    put(std::move(publication));
    session_.give_room_here();
  }

  /// Waits until `condition` holds for the record.
  bool wait(const std::function<bool(const Record&)>& condition,
            std::chrono::milliseconds timeout = sluice::test::patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return condition(record_); });
  }
  bool wait_up(std::size_t times = 1) {
    return wait([=](const Record& r) { return r.ups.size() >= times; });
  }
  bool wait_acknowledged(std::size_t n) {
    return wait([=](const Record& r) { return r.acknowledged.size() >= n; });
  }
  bool wait_logged(const std::string& text) {
    return wait([&](const Record& r) {
      return std::any_of(r.log.begin(), r.log.end(),
                         [&](const auto& line) { return line.second.find(text) != std::string::npos; });
    });
  }
  Record record() {
    const std::lock_guard lock(mutex_);
    return record_;
  }
  std::string log_text() {
    std::string text;
    for (const auto& [level, line] : record().log) text += line + "\n";
    return text;
  }
  /// Runs on the session's thread, before the next publication.
  void on_session_thread(std::function<void(Session&)> action) {
    const std::lock_guard lock(mutex_);
    action_ = std::move(action);
    session_.wake();
  }

  void on_link_up(bool in_flight_kept) override {
    change([&](Record& record) {
      record.ups.push_back(in_flight_kept);
      if (in_flight_kept) return;
      for (auto last = record.unanswered.rbegin(); last != record.unanswered.rend(); ++last) {
        outbox_.push_front(last->second);
      }
      record.unanswered.clear();
    });
  }
  void on_link_down(std::string_view reason) override {
    change([&](Record& record) { record.downs.emplace_back(reason); });
  }
  void on_room() override {
    change([&](Record& record) {
      if (action_) std::exchange(action_, nullptr)(session_);
      while (!outbox_.empty()) {
        std::string why;
        const Publication& next = outbox_.front();
        const PublishResult result = session_.publish(next, &why);
        if (result == PublishResult::full || result == PublishResult::down) break;
        if (result == PublishResult::refused) {
          record.unacceptable.emplace_back(next.token, why);
        } else {
          record.unanswered[next.token] = next;
          record.publishers.insert(std::this_thread::get_id());
          record.most_in_flight = std::max(record.most_in_flight, record.unanswered.size());
        }
        outbox_.pop_front();
      }
    });
  }
  void on_acknowledged(std::uint64_t token) override {
    change([&](Record& record) {
      record.unanswered.erase(token);
      record.acknowledged.push_back(token);
    });
  }
  void on_refused(std::uint64_t token, std::uint8_t reason, bool for_good) override {
    change([&](Record& record) {
      record.refusals.push_back({token, reason, for_good});
      const auto found = record.unanswered.find(token);
      if (found == record.unanswered.end()) return;
      if (reason == 0) outbox_.push_front(found->second);
      record.unanswered.erase(found);
    });
  }
  void on_message(Message&& message, const Inbound& inbound) override {
    change([&](Record& record) { record.messages.emplace_back(std::move(message), inbound); });
  }

 private:
  std::uint64_t put(Publication publication) {
    const std::lock_guard lock(mutex_);
    publication.token = ++last_token_;
    outbox_.push_back(std::move(publication));
    return last_token_;
  }
  template <typename Change>
  void change(Change&& make) {
    {
      const std::lock_guard lock(mutex_);
      make(record_);
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  Record record_;
  std::deque<Publication> outbox_;
  std::function<void(Session&)> action_;
  std::uint64_t last_token_ = 0;

  SystemClock clock_;
  Metrics metrics_;
  Logging logging_;
  Session session_;
};

/// For one broker, with time limits that suit a test.
inline Options options_for(const std::vector<std::string>& urls) {
  Options options;
  options.brokers.clear();
  for (const std::string& url : urls) options.brokers.push_back(BrokerAddress::parse(url).value());
  options.client_id = "gateway";
  options.reconnect_min = std::chrono::milliseconds(10);
  options.reconnect_max = std::chrono::milliseconds(50);
  options.connect_timeout = std::chrono::seconds(10);
  return options;
}

/// The session survives the connection.
inline Options persistent(Options options) {
  options.clean_start = false;
  options.session_expiry = std::chrono::hours(1);
  return options;
}

}  // namespace sluice::mqtt::test
