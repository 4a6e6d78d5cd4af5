// SPDX-License-Identifier: Apache-2.0
// How the agent calls into a plugin, and on which threads: nothing that a plugin does leaves a call but its answer.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "sluice/plugin.h"

namespace sluice::plugin {

/// How a call ended: SLUICE_OK, or another status and why, in words.
struct CallResult {
  sluice_status status = SLUICE_OK;
  std::string text;
};

/// Of a plugin that answered with `status` and said `text`, which may be empty.
CallResult failure(const char* function, sluice_status status, std::string_view text);
/// Of one that let an exception out, which plugin.h forbids. `what`: "" where it cannot be told.
CallResult leaked_exception(const char* function, std::string_view what);

/// Calls `body(sluice_text*)`, which calls `function` of the plugin.
template <typename F>
CallResult call(const char* function, F&& body) {
  constexpr std::size_t error_text_bytes = 1024;
  std::array<char, error_text_bytes> buffer{};
  sluice_text error{sizeof(sluice_text), buffer.data(), buffer.size(), 0};
  try {
    const sluice_status status = body(&error);
    if (status == SLUICE_OK) return {};
    return failure(function, status, {buffer.data(), std::min(error.used, buffer.size())});
  } catch (const std::exception& leaked) {
    return leaked_exception(function, leaked.what());
  } catch (...) {
    return leaked_exception(function, "");
  }
}

/// A thread for a plugin: signals are for the agent's own. Throws std::system_error.
std::thread start_thread(std::function<void()> body);
/// As `top` and `ps` show it: the first 15 characters.
void name_thread(std::thread& thread, const std::string& name);

}  // namespace sluice::plugin
