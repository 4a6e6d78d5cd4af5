// SPDX-License-Identifier: Apache-2.0
#include "plugin/call.hpp"

#include <fmt/core.h>
#include <pthread.h>

#include <csignal>
#include <utility>

#include "plugin/text.hpp"

namespace sluice::plugin {
namespace {

std::string status_text(sluice_status status) {
  switch (status) {
    case SLUICE_FULL:
      return "FULL";
    case SLUICE_STOPPED:
      return "STOPPED";
    case SLUICE_TIMEOUT:
      return "TIMEOUT";
    case SLUICE_INVALID:
      return "INVALID";
    case SLUICE_FAILED:
      return "FAILED";
    default:
      return std::to_string(status);
  }
}

}  // namespace

CallResult failure(const char* function, sluice_status status, std::string_view text) {
  CallResult result{status, tidy(text)};
  if (result.text.empty()) result.text = fmt::format("`{}` answered {}", function, status_text(status));
  return result;
}

CallResult leaked_exception(const char* function, std::string_view what) {
  std::string text = fmt::format("`{}` let an exception out", function);
  if (!what.empty()) text += ": " + tidy(what);
  return {SLUICE_FAILED, std::move(text)};
}

std::thread start_thread(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct Restore {
    sigset_t& mask;
    ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } const restore{before};
  return std::thread(std::move(body));
}

void name_thread(std::thread& thread, const std::string& name) {
  constexpr std::size_t kernel_limit = 15;
  pthread_setname_np(thread.native_handle(), name.substr(0, kernel_limit).c_str());
}

}  // namespace sluice::plugin
