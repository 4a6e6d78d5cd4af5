// SPDX-License-Identifier: Apache-2.0
#include "mqtt/session.hpp"

#include <utility>

#include "mqtt/session_thread.hpp"

namespace sluice::mqtt {

std::string_view to_string(LinkState state) {
  switch (state) {
    case LinkState::stopped:
      return "stopped";
    case LinkState::waiting:
      return "waiting";
    case LinkState::connecting:
      return "connecting";
    case LinkState::up:
      return "up";
  }
  return "";
}

Session::Session(Options options, Listener& listener, const Clock& clock, Metrics& metrics, Log log)
    : thread_(std::make_shared<Thread>(std::move(options), listener, clock, metrics, std::move(log))) {}

Session::~Session() {
  stop(std::chrono::seconds(2));
}

void Session::start() {
  thread_->start();
}
void Session::stop(std::chrono::milliseconds limit) {
  thread_->stop(limit);
}
PublishResult Session::publish(const Publication& publication, std::string* why) {
  return thread_->publish(publication, why);
}
void Session::wake() {
  thread_->wake();
}
void Session::give_room_here() {
  thread_->give_room_here();
}
void Session::limit_window(std::size_t n) {
  thread_->limit_window(n);
}
void Session::expect_answers(std::size_t n) {
  thread_->expect_answers(n);
}
std::size_t Session::window() const {
  return thread_->window();
}
void Session::forget_in_flight() {
  thread_->forget_in_flight();
}
SessionStatus Session::status() const {
  return thread_->status();
}
std::uint64_t Session::heartbeat() const {
  return thread_->heartbeat();
}
bool Session::is_connecting() const {
  return thread_->is_connecting();
}
bool Session::qos2_in_flight() const {
  return thread_->qos2_in_flight();
}

}  // namespace sluice::mqtt
