// SPDX-License-Identifier: Apache-2.0
// One life of an instance between create and destroy, as far as other threads than its own call it: stop and
// committed. Shared with what is waiting to be committed. Safe from every thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "plugin/gate.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

class Incarnation : public std::enable_shared_from_this<Incarnation> {
 public:
  /// `leaked` is told of an exception that the plugin let out.
  using Leaked = std::function<void(std::string_view function)>;
  Incarnation(const sluice_plugin& plugin, Leaked leaked) : plugin_(plugin), leaked_(std::move(leaked)) {}

  /// create has returned it.
  void set_instance(void* instance);

  /// The plugin's stop; nothing before set_instance and after end.
  void stop() noexcept;

  /// Something that answers `cookie` with OK once it is let go of. Null: there is nobody to answer yet, or ever.
  std::shared_ptr<void> expect(std::uint64_t cookie);
  /// It was not taken after all: nothing is answered.
  void forget(const std::shared_ptr<void>& expected) noexcept;

  /// Waits for the calls on their way, answers STOPPED to every cookie that is left, and calls no more. By the thread
  /// of the instance, before destroy.
  void end() noexcept;
  /// Answers no more, and does not wait.
  void abandon() noexcept;

 private:
  struct Expected;
  void answer(std::uint64_t id) noexcept;
  void call_committed(std::uint64_t cookie, sluice_status status) noexcept;
  void report(std::string_view function) noexcept;

  const sluice_plugin& plugin_;  // of the Life of the instance, which keeps both
  const Leaked leaked_;
  Gate gate_;
  std::mutex mutex_;
  // guarded by mutex_
  void* instance_ = nullptr;
  bool ready_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::uint64_t> cookies_;  // not answered yet, by id
};

}  // namespace sluice::plugin
