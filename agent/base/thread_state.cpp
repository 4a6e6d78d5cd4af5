// SPDX-License-Identifier: Apache-2.0
#include "base/thread_state.hpp"

#include <unistd.h>

#include <fstream>
#include <string>

namespace sluice {

pid_t this_thread() {
  return ::gettid();
}

bool waits_for_disk(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(file, text);
  // "id (name) state …": a name may hold anything, a closing bracket too.
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.size() > name_end + 2 && text[name_end + 2] == 'D';
}

}  // namespace sluice
