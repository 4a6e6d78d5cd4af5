// SPDX-License-Identifier: Apache-2.0
#include "blocked_resolver.hpp"

#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

namespace sluice::mqtt::test {
namespace {

struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  int waiting = 0;
};

Gate& gate() {
  static auto* const instance = new Gate;  // a thread may still pass it when the program ends
  return *instance;
}

}  // namespace

BlockedResolver::BlockedResolver() {
  const std::lock_guard lock(gate().mutex);
  gate().closed = true;
}

BlockedResolver::~BlockedResolver() {
  release();
}

int BlockedResolver::waiting() const {
  const std::lock_guard lock(gate().mutex);
  return gate().waiting;
}

void BlockedResolver::release() {
  {
    const std::lock_guard lock(gate().mutex);
    gate().closed = false;
  }
  gate().changed.notify_all();
}

}  // namespace sluice::mqtt::test

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* name, const char* service,
                                                                  const addrinfo* hints, addrinfo** result) {
  using sluice::mqtt::test::gate;
  if (name != nullptr && std::strcmp(name, sluice::mqtt::test::BlockedResolver::host) == 0) {
    std::unique_lock lock(gate().mutex);
    ++gate().waiting;
    gate().changed.wait(lock, [] { return !gate().closed; });
    --gate().waiting;
    return EAI_AGAIN;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(name, service, hints, result);
}
