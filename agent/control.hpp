// SPDX-License-Identifier: Apache-2.0
// The local socket through which the command line talks to the running agent: one request and one answer a
// connection, each a line of JSON. Owned by the agent; each connection is served on a thread of its own, so that a long
// request (a verification) never delays a short one (a status).
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <list>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"

namespace sluice {

class Control {
 public:
  /// Answers a request with a document. Called on several threads at once.
  using Handler = std::function<std::string(const std::string& request)>;

  /// Listens at `path` (0660 where the group may talk to it, else 0600); a socket left by a crash is replaced. Throws
  /// std::system_error.
  Control(std::filesystem::path path, bool for_group, Handler handler, Log log);
  /// Ends when the requests under way have been answered.
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

 private:
  struct Connection {
    std::thread thread;
    std::atomic<bool> done = false;
  };

  void accept_connections();
  void serve(const FileDescriptor& socket);
  void reap(bool all);

  const std::filesystem::path path_;
  const Handler handler_;
  const Log log_;
  FileDescriptor listener_;
  EventFd stop_;
  std::list<Connection> connections_;  // of the accepting thread, and of the destructor once that has ended
  std::thread acceptor_;
};

/// What a request may have.
inline constexpr std::size_t longest_request_bytes = 16U << 20U;

/// The client's side: sends `request` to the agent that listens at `path` and answers its document.
/// Throws NoAgent where nobody listens, std::runtime_error where the conversation breaks off, or the request is too long.
class NoAgent : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
std::string ask_agent(const std::filesystem::path& path, const std::string& request);

}  // namespace sluice
