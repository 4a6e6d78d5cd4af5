// SPDX-License-Identifier: Apache-2.0
#include "mqtt/addresses.hpp"

#include <fmt/core.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace sluice::mqtt {
namespace {

using AddressInfo = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

// `result`: as ::getaddrinfo() answers it.
AddressInfo look_up(const std::string& host, int flags, int& result) {
  addrinfo hints{};
  hints.ai_flags = flags;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  result = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  return {result == 0 ? found : nullptr, ::freeaddrinfo};
}

}  // namespace

bool is_address(const std::string& host) {
  int result = 0;
  look_up(host, AI_NUMERICHOST, result);
  return result == 0;
}

std::vector<std::string> resolve(const std::string& host) {
  int result = 0;
  const AddressInfo found = look_up(host, 0, result);
  const int error = errno;
  std::vector<std::string> addresses;
  for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    if (std::find(addresses.begin(), addresses.end(), text.data()) == addresses.end()) {
      addresses.emplace_back(text.data());
    }
  }
  if (!addresses.empty()) return addresses;
  const std::string why = result == EAI_SYSTEM ? std::generic_category().message(error)
                          : result == 0        ? "it has no address"
                                               : ::gai_strerror(result);
  throw std::runtime_error(fmt::format("the name \"{}\" cannot be resolved: {}", host, why));
}

const std::string& AddressRound::choose(std::vector<std::string> addresses) {
  const auto before = std::find(addresses.begin(), addresses.end(), current_);
  std::size_t index = 0;
  if (before != addresses.end()) {
    index = static_cast<std::size_t>(before - addresses.begin()) + (std::exchange(failed_, false) ? 1 : 0);
  }
  failed_ = false;
  count_ = addresses.size();
  current_ = std::move(addresses[index % count_]);
  return current_;
}

bool AddressRound::failed() {
  failed_ = true;
  if (++tried_ < count_) return true;
  tried_ = 0;
  return false;
}

void AddressRound::refused() {
  failed_ = true;
  tried_ = 0;
}

}  // namespace sluice::mqtt
