// SPDX-License-Identifier: Apache-2.0
#include "plugin/incarnation.hpp"

#include <utility>

namespace sluice::plugin {

struct Incarnation::Expected {
  Expected(std::shared_ptr<Incarnation> owner, std::uint64_t number)
      : incarnation(std::move(owner)), id(number) {}
  ~Expected() { incarnation->answer(id); }
  Expected(const Expected&) = delete;
  Expected& operator=(const Expected&) = delete;

  const std::shared_ptr<Incarnation> incarnation;
  const std::uint64_t id;
};

void Incarnation::set_instance(void* instance) {
  const std::lock_guard lock(mutex_);
  instance_ = instance;
  ready_ = true;
}

void Incarnation::report(std::string_view function) noexcept {
  try {
    leaked_(function);
  } catch (...) {  // no memory for a line in the log
  }
}

void Incarnation::stop() noexcept {
  const Gate::Pass pass(gate_);
  void* instance = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!pass || !ready_ || plugin_.stop == nullptr) return;
    instance = instance_;
  }
  try {
    plugin_.stop(instance);
  } catch (...) {
    report("stop");
  }
}

std::shared_ptr<void> Incarnation::expect(std::uint64_t cookie) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!ready_ || plugin_.committed == nullptr) return nullptr;
    id = ++last_id_;
    cookies_.emplace(id, cookie);
  }
  return std::make_shared<Expected>(shared_from_this(), id);
}

void Incarnation::forget(const std::shared_ptr<void>& expected) noexcept {
  const std::lock_guard lock(mutex_);
  cookies_.erase(static_cast<const Expected*>(expected.get())->id);
}

void Incarnation::answer(std::uint64_t id) noexcept {
  const Gate::Pass pass(gate_);
  if (!pass) return;  // end() answers
  std::uint64_t cookie = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = cookies_.find(id);
    if (found == cookies_.end()) return;
    cookie = found->second;
    cookies_.erase(found);
  }
  call_committed(cookie, SLUICE_OK);
}

void Incarnation::call_committed(std::uint64_t cookie, sluice_status status) noexcept {
  try {
    plugin_.committed(instance_, cookie, status);  // constant since set_instance
  } catch (...) {
    report("committed");
  }
}

void Incarnation::end() noexcept {
  gate_.close();
  std::map<std::uint64_t, std::uint64_t> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(cookies_);
  }
  for (const auto& [id, cookie] : left) call_committed(cookie, SLUICE_STOPPED);
}

void Incarnation::abandon() noexcept {
  const std::lock_guard lock(mutex_);
  cookies_.clear();
  ready_ = false;
}

}  // namespace sluice::plugin
