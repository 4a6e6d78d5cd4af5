// SPDX-License-Identifier: Apache-2.0
#include "resolver.hpp"

#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>

namespace sluice::mqtt::test {
namespace {

struct Resolver {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  int waiting = 0;
  std::vector<std::string> known;
};

Resolver& resolver() {
  static auto* const instance = new Resolver;  // a thread may still pass it when the program ends
  return *instance;
}

using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

Function of_the_system() {
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real;
}

int wait_for_release() {
  std::unique_lock lock(resolver().mutex);
  ++resolver().waiting;
  resolver().changed.wait(lock, [] { return !resolver().closed; });
  --resolver().waiting;
  return EAI_AGAIN;
}

int answer_known(const char* service, const addrinfo* hints, addrinfo** result) {
  if (hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
  const std::lock_guard lock(resolver().mutex);
  addrinfo** end = result;
  *end = nullptr;
  for (const std::string& address : resolver().known) {
    if (const int failed = of_the_system()(address.c_str(), service, hints, end)) return failed;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return *result == nullptr ? EAI_AGAIN : 0;
}

}  // namespace

BlockedResolver::BlockedResolver() {
  const std::lock_guard lock(resolver().mutex);
  resolver().closed = true;
}

BlockedResolver::~BlockedResolver() {
  release();
}

int BlockedResolver::waiting() const {
  const std::lock_guard lock(resolver().mutex);
  return resolver().waiting;
}

void BlockedResolver::release() {
  {
    const std::lock_guard lock(resolver().mutex);
    resolver().closed = false;
  }
  resolver().changed.notify_all();
}

KnownName::KnownName(std::vector<std::string> addresses) {
  move(std::move(addresses));
}

KnownName::~KnownName() {
  move({});
}

void KnownName::move(std::vector<std::string> addresses) {
  const std::lock_guard lock(resolver().mutex);
  resolver().known = std::move(addresses);
}

}  // namespace sluice::mqtt::test

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* name, const char* service,
                                                                  const addrinfo* hints, addrinfo** result) {
  using namespace sluice::mqtt::test;
  const std::string_view asked = name == nullptr ? "" : name;
  if (asked == BlockedResolver::host && (hints == nullptr || (hints->ai_flags & AI_NUMERICHOST) == 0)) {
    return wait_for_release();
  }
  if (asked == KnownName::host) return answer_known(service, hints, result);
  return of_the_system()(name, service, hints, result);
}
