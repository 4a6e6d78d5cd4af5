// SPDX-License-Identifier: Apache-2.0
#include "server.hpp"

#include <sys/stat.h>

#include <sstream>
#include <stdexcept>

#include "support/free_port.hpp"
#include "support/process.hpp"
#include "support/script.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait_until.hpp"

namespace sluice::modbus {
namespace {

std::vector<std::string> with(std::vector<std::string> how, const std::string& units) {
  how.push_back(units);
  return how;
}

bool exists(const std::string& path) {
  struct ::stat found {};
  return ::stat(path.c_str(), &found) == 0;
}

}  // namespace

std::uint16_t free_port() {
  return test::free_port();
}
bool eventually(const std::function<bool()>& condition) {
  return test::wait_until(condition);
}

struct Server::Running {
  test::Process process;
};

Server::Server(std::vector<std::string> how, const std::string& units)
    : running_(new Running{test::Process(test::script("modbus_server.py", with(std::move(how), units)))}) {
  if (line(0) != "ready")
    throw std::runtime_error("the server does not start: " + running_->process.output());
}

Server::~Server() = default;

std::string Server::operator()(const std::string& command) {
  running_->process.write(command + "\n");
  return line(++commands_);
}

void Server::stop() {
  running_->process.terminate();
}

std::string Server::line(std::size_t index) {
  std::vector<std::string> lines;
  test::wait_until([&] {
    const bool runs = running_->process.running();
    lines.clear();
    std::istringstream text(running_->process.output());
    for (std::string one; std::getline(text, one) && !text.eof();) lines.push_back(one);
    return lines.size() > index || !runs;
  });
  if (lines.size() <= index)
    throw std::runtime_error("the server says nothing: " + running_->process.output());
  return lines[index];
}

struct PtyPair::Running {
  test::TemporaryDirectory directory;
  std::string ours = directory.file("ours");
  std::string theirs = directory.file("theirs");
  test::Process socat{{"socat", "pty,rawer,link=" + ours, "pty,rawer,link=" + theirs}};
};

PtyPair::PtyPair() : running_(new Running) {
  if (!test::wait_until([&] { return exists(ours()) && exists(theirs()); })) {
    throw std::runtime_error("socat: " + running_->socat.output());
  }
}
PtyPair::~PtyPair() = default;
const std::string& PtyPair::ours() const {
  return running_->ours;
}
const std::string& PtyPair::theirs() const {
  return running_->theirs;
}
std::string PtyPair::beside(const std::string& name) const {
  return running_->directory.file(name);
}

}  // namespace sluice::modbus
