// SPDX-License-Identifier: Apache-2.0
#include "writer.hpp"

#include <algorithm>

namespace serial {

namespace {

using namespace std::chrono_literals;

// How often to look whether the last bytes have left the port: poll(2) does not tell.
constexpr std::chrono::nanoseconds look_again = 5ms;
constexpr std::chrono::nanoseconds retry_after = 1s;

}  // namespace

Writer::Writer(sluice::Host host, Port& port, std::chrono::nanoseconds timeout)
    : host_(host),
      port_(port),
      timeout_ns_(timeout.count()),
      written_(host.counter("written_bytes")),
      errors_(host.counter("write_errors")) {}

Writer::~Writer() {
  abandon("the instance ends");
}

std::int64_t Writer::next_ns(std::int64_t now_ns) const {
  if (!begun_) return now_ns;
  return wants_room() ? deadline_ns_ : std::min(deadline_ns_, now_ns + look_again.count());
}

void Writer::advance(std::int64_t now_ns) {
  while (!idle()) {
    if (!begun_) {
      begun_ = true;
      sent_ = 0;
      deadline_ns_ = now_ns + timeout_ns_;
    }
    if (wants_room()) {
      const std::size_t count = port_.write(std::string_view(writes_.front().bytes).substr(sent_));
      sent_ += count;
      written_.add(static_cast<double>(count));
    }
    if (!wants_room() && port_.unsent() == 0) {
      finish();
    } else if (now_ns >= deadline_ns_) {
      fail("not sent within write_timeout: does flow control hold it back?");
    } else {
      return;
    }
  }
}

void Writer::finish() {
  if (writes_.front().token) host_.complete(*writes_.front().token);
  writes_.pop_front();
  begun_ = false;
}

void Writer::fail(const std::string& why) {
  ++errors_;
  const std::size_t left = sent_ - std::min(sent_, port_.unsent());
  port_.drop_unsent();
  const Write& failed = writes_.front();
  if (!failed.token) {
    host_.warn(why);
  } else if (left == 0) {
    host_.retry(*failed.token, retry_after, why);
  } else {
    host_.refuse(*failed.token, why + " (" + std::to_string(left) + " of " +
                                    std::to_string(failed.bytes.size()) + " bytes were sent)");
  }
  writes_.pop_front();
  begun_ = false;
}

void Writer::abandon(const std::string& why) noexcept {
  for (; !writes_.empty(); writes_.pop_front(), begun_ = false) {
    if (!writes_.front().token) continue;
    if (begun_ && sent_ > 0) {
      host_.refuse(*writes_.front().token, "sent in part: " + why);
    } else {
      host_.retry(*writes_.front().token, retry_after, why);
    }
  }
}

}  // namespace serial
