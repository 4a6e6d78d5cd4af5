// SPDX-License-Identifier: Apache-2.0
#include "control.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t most_connections = 16;
constexpr int request_timeout_ms = 10'000;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    throw std::runtime_error(text + ": longer than the " + std::to_string(sizeof address.sun_path - 1) +
                             " bytes that a socket's path may have; set agent.control_socket");
  }
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

FileDescriptor make_socket() {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("socket");
  return socket;
}

bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Up to the end of the line, or to where the other side ends; `timeout_ms` for each part of it, -1 = none.
bool receive_line(int socket, std::string& line, std::size_t longest, int timeout_ms) {
  char part[65536];
  while (line.size() <= longest) {
    pollfd waiting{socket, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t received = ::recv(socket, part, sizeof part, 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return false;
    if (received == 0) return !line.empty();
    line.append(part, static_cast<std::size_t>(received));
    if (line.back() == '\n') {
      line.pop_back();
      return true;
    }
  }
  return false;
}

}  // namespace

Control::Control(std::filesystem::path path, bool for_group, Handler handler, Log log)
    : path_(std::move(path)), handler_(std::move(handler)), log_(std::move(log)), listener_(make_socket()) {
  const sockaddr_un address = address_of(path_);
  ::unlink(path_.c_str());
  // The mode must be right from the first moment: bind() makes the file by the umask.
  const mode_t before = ::umask(for_group ? 0117 : 0177);
  const int bound = ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int reason = errno;
  ::umask(before);
  errno = reason;
  if (bound != 0) fail(path_.string());
  if (::listen(listener_.get(), 16) != 0) fail(path_.string());
  acceptor_ = std::thread([this] { accept_connections(); });
}

Control::~Control() {
  stop_.signal();
  acceptor_.join();
  reap(true);
  ::unlink(path_.c_str());
}

void Control::accept_connections() {
  for (;;) {
    pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if ((waiting[1].revents & POLLIN) != 0) return;
    if ((waiting[0].revents & POLLIN) == 0) continue;
    FileDescriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    reap(false);
    if (!socket) continue;
    if (connections_.size() >= most_connections) {
      log_.warn("control: {} requests are under way already: one more is refused", connections_.size());
      continue;
    }
    Connection& connection = connections_.emplace_back();
    connection.thread = std::thread([this, &connection, socket = std::move(socket)] {
      serve(socket);
      connection.done = true;
    });
  }
}

void Control::serve(const FileDescriptor& socket) {
  std::string request;
  if (!receive_line(socket.get(), request, longest_request_bytes, request_timeout_ms)) return;
  std::string answer = handler_(request);
  answer += '\n';
  send_all(socket.get(), answer);
}

void Control::reap(bool all) {
  for (auto connection = connections_.begin(); connection != connections_.end();) {
    if (all || connection->done) {
      connection->thread.join();
      connection = connections_.erase(connection);
    } else {
      ++connection;
    }
  }
}

std::string ask_agent(const std::filesystem::path& path, const std::string& request) {
  const FileDescriptor socket = make_socket();
  const sockaddr_un address = address_of(path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) throw NoAgent("no agent listens at " + path.string());
    fail(path.string());
  }
  if (request.size() >= longest_request_bytes) {
    throw std::runtime_error("the request has " + std::to_string(request.size()) +
                             " bytes, but an agent reads less than " + std::to_string(longest_request_bytes) +
                             ": stop it, then the command works on its files itself");
  }
  std::string answer;
  if (!send_all(socket.get(), request + "\n") || !receive_line(socket.get(), answer, SIZE_MAX - 1, -1)) {
    throw std::runtime_error(path.string() + ": the agent ended the conversation without an answer");
  }
  return answer;
}

}  // namespace sluice
