// SPDX-License-Identifier: Apache-2.0
// An input for power cuts and kills: emits a counter durably, and writes "RUN NUMBER" to a serial port, or a file that is there,
// for each message that the agent called safe. Whoever reads it knows what must never be lost.
#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <sluice/plugin.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

using namespace sluice;

class Port {
 public:
  explicit Port(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC)) {
    termios line{};
    struct stat status {};
    if (fd_ >= 0 && ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) return;
    if (fd_ < 0 || ::tcgetattr(fd_, &line) != 0)
      throw std::system_error(errno, std::generic_category(), path);
    ::cfmakeraw(&line);
    ::cfsetspeed(&line, B115200);
    line.c_cflag |= CLOCAL;
    ::tcsetattr(fd_, TCSANOW, &line);
  }
  ~Port() { ::close(fd_); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  void write(std::string_view text) const {
    while (!text.empty()) {
      const ::ssize_t written = ::write(fd_, text.data(), text.size());
      if (written < 0) throw std::system_error(errno, std::generic_category(), "report");
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  int fd_;
};

class Acknowledged {
 public:
  static Description describe() {
    return Description("acknowledged", "1.0.0", "Counts, and reports what is safe.")
        .emits()
        .settings({setting("report").string().required().help("The serial port, or a file."),
                   setting("rate").number().defaults(200.0).help("Messages a second.")});
  }

  Acknowledged(Host host, const Settings& settings)
      : host_(host),
        path_(settings["report"].as<std::string>()),
        pause_(static_cast<std::int64_t>(1e9 / settings["rate"].as<double>())),
        run_(std::to_string(host.now().wall_ns / 1'000'000)) {}

  void run() {
    const Port port(path_);
    std::uint64_t next = 0;
    while (host_.wait(pause_)) {
      Message message;
      message.sample("run", run_).sample("number", next);
      if (host_.emit_durable(message, next) == Status::Ok) ++next;
      port.write(take_report());
    }
  }

  void committed(std::uint64_t cookie, bool ok) noexcept {
    if (!ok) return;
    const std::lock_guard lock(mutex_);
    report_ += run_ + " " + std::to_string(cookie) + "\n";
  }

 private:
  std::string take_report() {
    const std::lock_guard lock(mutex_);
    return std::exchange(report_, {});
  }

  Host host_;
  const std::string path_;
  const std::chrono::nanoseconds pause_;
  const std::string run_;
  std::mutex mutex_;
  std::string report_;  // guarded by mutex_
};

}  // namespace

SLUICE_PLUGIN(Acknowledged)
