// SPDX-License-Identifier: Apache-2.0
#include "link.hpp"

#include <modbus/modbus.h>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace sluice::modbus {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds first_pause{250};
constexpr milliseconds longest_pause{30'000};

struct Stopping {};

class LinkError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string error_text(int number) {
  return modbus_strerror(number);
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace

void Link::Free::operator()(modbus_t* context) const {
  modbus_free(context);
}

Link::Link(LinkOptions options, int stop_fd, Trace trace)
    : options_(std::move(options)), stop_fd_(stop_fd), trace_(std::move(trace)) {
  // Over TCP the address given here is not used: the connection is made by connect_tcp, which can be interrupted.
  switch (options_.transport) {
    case Transport::tcp:
      context_.reset(modbus_new_tcp("127.0.0.1", 502));
      break;
    case Transport::rtu_over_tcp:
      context_.reset(modbus_new_rtu("/dev/null", 9600, 'N', 8, 1));
      break;
    case Transport::rtu:
      context_.reset(modbus_new_rtu(options_.device.c_str(), options_.baud, options_.parity,
                                    options_.data_bits, options_.stop_bits));
      break;
  }
  if (!context_) throw std::runtime_error("libmodbus refuses the settings of the bus: " + error_text(errno));
  const auto seconds = [](microseconds time) { return static_cast<std::uint32_t>(time.count() / 1'000'000); };
  const auto rest = [](microseconds time) { return static_cast<std::uint32_t>(time.count() % 1'000'000); };
  // The first byte is waited for here, so all that libmodbus waits for is the rest of a frame.
  const microseconds wait = std::max(options_.byte_timeout, microseconds(1));
  modbus_set_response_timeout(context_.get(), seconds(wait), rest(wait));
  modbus_set_byte_timeout(context_.get(), seconds(wait), rest(wait));
}

Link::~Link() {
  close();
}

Reply Link::exchange(std::uint8_t unit, const Pdu& request) {
  Reply reply;
  try {
    if (!ensure_open(reply)) return reply;
    wait(-1, 0, not_before_);
    if (!fresh()) {
      // The peer closed the connection while it was idle, or something stale lies in it: begin anew.
      close();
      if (!ensure_open(reply)) return reply;
      wait(-1, 0, not_before_);
    }
    send(unit, request);
    reply = receive(unit, request);
  } catch (const Stopping&) {
    reply = Reply{Outcome::stopped, 0, "the agent stops", {}, {}};
  } catch (const LinkError& broken) {
    reply = fail(Outcome::broken, broken.what());
  }
  not_before_ = Clock::now() + std::max(options_.pause, silence());
  return reply;
}

bool Link::quiet(Clock::time_point until) {
  try {
    while (is_open() && (wait(fd_, POLLIN, until) & POLLIN) != 0) discard();
    return true;
  } catch (const LinkError&) {
    close();
    return true;
  } catch (const Stopping&) {
    return false;
  }
}

bool Link::ensure_open(Reply& reply) {
  if (is_open()) return true;
  if (Clock::now() >= next_attempt_) {
    try {
      open();
      return true;
    } catch (const LinkError& error) {
      open_error_ = error.what();
      attempt_pause_ = std::clamp(attempt_pause_ * 2, first_pause, longest_pause);
      next_attempt_ = Clock::now() + attempt_pause_;
    }
  }
  reply = Reply{Outcome::down, 0, open_error_, {}, {}};
  return false;
}

void Link::open() {
  if (options_.transport == Transport::rtu) {
    if (modbus_connect(context_.get()) != 0) throw LinkError(options_.device + ": " + error_text(errno));
    fd_ = modbus_get_socket(context_.get());
    ::ioctl(fd_, TIOCEXCL);  // libmodbus asks for O_EXCL, which does nothing for a terminal
    modbus_flush(context_.get());
  } else {
    fd_ = connect_tcp();
    modbus_set_socket(context_.get(), fd_);
  }
  if (fd_ >= FD_SETSIZE) {  // libmodbus uses select(2)
    close();
    throw LinkError("too many open files for libmodbus: its limit is " + std::to_string(FD_SETSIZE));
  }
  attempt_pause_ = milliseconds(0);
  ++times_opened_;
  not_before_ = Clock::now() + options_.pause_after_connect;
}

void Link::close() {
  if (fd_ < 0) return;
  if (options_.transport == Transport::rtu) {
    ::ioctl(fd_, TIOCNXCL);  // it outlives our descriptor where somebody else has the terminal open, too
    modbus_close(context_.get());
  } else {
    ::close(fd_);
    modbus_set_socket(context_.get(), -1);
  }
  fd_ = -1;
}

int Link::connect_tcp() {
  ::addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  ::addrinfo* found = nullptr;
  const std::string port = std::to_string(options_.port);
  const std::string where = options_.host + ":" + port + ": ";
  if (const int error = ::getaddrinfo(options_.host.c_str(), port.c_str(), &hints, &found); error != 0) {
    throw LinkError(where + ::gai_strerror(error));
  }
  const std::unique_ptr<::addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  const Clock::time_point deadline = Clock::now() + options_.connect_timeout;
  std::string problem;
  for (const ::addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Socket socket(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol));
    if (socket.get() < 0) throw LinkError(where + std::strerror(errno));
    if (::connect(socket.get(), at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS) {
      problem = std::strerror(errno);
      continue;
    }
    if (wait(socket.get(), POLLOUT, deadline) == 0) {
      problem = "no answer within " + std::to_string(options_.connect_timeout.count() / 1000) + " ms";
      continue;
    }
    int error = 0;
    ::socklen_t size = sizeof(error);
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      problem = std::strerror(error);
      continue;
    }
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return socket.release();
  }
  throw LinkError(where + problem);
}

// Is the line empty, as it must be before a request?
bool Link::fresh() {
  if (options_.transport == Transport::rtu) {
    modbus_flush(context_.get());
    return true;
  }
  if (wait(fd_, POLLIN, Clock::now()) == 0) return true;
  if (options_.transport == Transport::tcp) return false;
  char byte = 0;
  if (::recv(fd_, &byte, 1, MSG_PEEK) <= 0) return false;
  discard();
  return true;
}

void Link::send(std::uint8_t unit, const Pdu& request) {
  modbus_set_slave(context_.get(), unit);
  Pdu frame;
  if (options_.transport == Transport::tcp) {
    // Made here, since modbus_send_raw_request sends 0 for every transaction.
    ++transaction_;
    const std::size_t length = request.size() + 1;
    frame = {
        static_cast<std::uint8_t>(transaction_ >> 8), static_cast<std::uint8_t>(transaction_ & 255), 0, 0,
        static_cast<std::uint8_t>(length >> 8),       static_cast<std::uint8_t>(length & 255)};
  }
  frame.push_back(unit);
  frame.insert(frame.end(), request.begin(), request.end());
  if (trace_) trace_("> " + hex(frame.data(), frame.size()));
  if (options_.transport == Transport::tcp) {
    // At most 260 bytes on a connection where nothing is under way: they fit the socket's buffer at once.
    const ::ssize_t sent = ::send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL);
    if (sent != static_cast<::ssize_t>(frame.size())) {
      throw LinkError(sent < 0 ? std::strerror(errno) : "the connection takes no more data");
    }
  } else if (modbus_send_raw_request(context_.get(), frame.data(), static_cast<int>(frame.size())) < 0) {
    throw LinkError(error_text(errno));
  }
}

Reply Link::receive(std::uint8_t unit, const Pdu& request) {
  const Clock::time_point deadline = Clock::now() + options_.response_timeout;
  for (;;) {
    if (wait(fd_, POLLIN, deadline) == 0) {
      return fail(Outcome::timeout,
                  "no reply within " + std::to_string(options_.response_timeout.count() / 1000) + " ms");
    }
    Reply reply;
    reply.time = Clock::now();
    std::array<std::uint8_t, MODBUS_MAX_ADU_LENGTH> frame{};
    const int length = modbus_receive_confirmation(context_.get(), frame.data());
    if (length < 0) {
      const int error = errno;
      if (error == ETIMEDOUT) return fail(Outcome::timeout, "the reply broke off");
      if (error == EMBBADCRC || error == EMBBADDATA) return fail(Outcome::garbled, error_text(error));
      throw LinkError(error == ECONNRESET ? "the connection was closed" : error_text(error));
    }
    if (length == 0) continue;  // RTU: another unit's reply, late. The right one may still come in time
    if (trace_) trace_("< " + hex(frame.data(), static_cast<std::size_t>(length)));
    const bool tcp = options_.transport == Transport::tcp;
    const int header = tcp ? 7 : 1;
    reply.pdu.assign(frame.begin() + header, frame.begin() + (length - (tcp ? 0 : 2)));
    if (tcp) {
      const auto word = [&](std::size_t at) { return frame[at] << 8 | frame[at + 1]; };
      if (word(0) != transaction_ || word(2) != 0)
        return fail(Outcome::garbled, "a reply to another transaction");
      if (word(4) != length - 6) return fail(Outcome::garbled, "a reply of a wrong length");
    }
    if (frame[static_cast<std::size_t>(header) - 1] != unit) {
      return fail(Outcome::garbled,
                  "a reply of unit " + std::to_string(frame[static_cast<std::size_t>(header) - 1]));
    }
    if (std::string wrong = mismatch(request, reply.pdu); !wrong.empty())
      return fail(Outcome::garbled, wrong);
    if ((reply.exception = exception_of(reply.pdu)) != 0) {
      reply.outcome = Outcome::exception;
      reply.error = exception_text(reply.exception);
    }
    return reply;
  }
}

// Leaves nothing behind that could be taken for the reply to a later request.
Reply Link::fail(Outcome outcome, std::string error) {
  if (outcome == Outcome::broken || options_.transport == Transport::tcp) {
    close();
  } else if (outcome == Outcome::garbled) {
    // Until the line is silent, but not for ever: somebody may be talking without end.
    const Clock::time_point limit = Clock::now() + milliseconds(200);
    while (Clock::now() < limit &&
           wait(fd_, POLLIN, Clock::now() + std::max(silence(), microseconds(20'000))) != 0) {
      discard();
    }
  }
  return Reply{outcome, 0, std::move(error), {}, {}};
}

void Link::discard() {
  std::array<std::uint8_t, 512> waste{};
  const ::ssize_t count = ::read(fd_, waste.data(), waste.size());
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
    throw LinkError("the connection was closed");
  if (trace_ && count > 0) trace_("discarded " + hex(waste.data(), static_cast<std::size_t>(count)));
}

// What happened at `fd` (-1: none) until then; 0: nothing.
short Link::wait(int fd, short events, Clock::time_point until) const {
  std::array<::pollfd, 2> all{{{stop_fd_, POLLIN, 0}, {fd, events, 0}}};
  for (;;) {
    const auto left = std::max(until - Clock::now(), Clock::duration::zero());
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const ::timespec limit{static_cast<::time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
    const int ready = ::ppoll(all.data(), all.size(), &limit, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if ((all[0].revents & POLLIN) != 0) throw Stopping();
    return ready > 0 ? all[1].revents : short{0};
  }
}

// RTU frames are told apart by a silence of 3.5 characters of 11 bits, 1.75 ms at and above 19200 Bd.
microseconds Link::silence() const {
  if (options_.transport != Transport::rtu) return microseconds(0);
  return options_.baud >= 19200 ? microseconds(1750) : microseconds(38'500'000 / options_.baud);
}

}  // namespace sluice::modbus
