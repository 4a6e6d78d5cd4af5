// SPDX-License-Identifier: Apache-2.0
#include "support/fake_broker.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "support/free_port.hpp"
#include "support/script.hpp"

namespace sluice::test {

using nlohmann::json;

FakeBroker::FakeBroker(const std::string& script_text, std::uint16_t port)
    : port_(port == 0 ? free_port() : port) {
  process_ = std::make_unique<Process>(script("fake_broker.py", {std::to_string(port_), script_text}));
  const auto listening = [this] { return process_->output().find("listening\n") != std::string::npos; };
  wait_until([&] { return listening() || !process_->running(); });
  if (!listening()) throw std::runtime_error("fake_broker.py: " + process_->output());
}

FakeBroker::~FakeBroker() = default;

void FakeBroker::kill() {
  process_->kill();
}

std::string FakeBroker::url() const {
  return "mqtt://127.0.0.1:" + std::to_string(port_);
}

std::vector<json> FakeBroker::packets() const {
  std::vector<json> all;
  std::istringstream lines(process_->output());
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    if (line == "listening") continue;
    json packet = json::parse(line, nullptr, false);
    if (packet.is_discarded()) throw std::runtime_error("fake_broker.py: " + process_->output());
    all.push_back(std::move(packet));
  }
  return all;
}

std::vector<json> FakeBroker::packets(const std::string& type, int connection) const {
  std::vector<json> chosen;
  for (json& packet : packets()) {
    const bool of_connection = connection == 0 || packet.at("connection") == connection;
    if (packet.at("packet") == type && of_connection) chosen.push_back(std::move(packet));
  }
  return chosen;
}

bool FakeBroker::wait_for(const std::function<bool(const json&)>& condition,
                          std::chrono::milliseconds timeout) const {
  return wait_until(
      [&] {
        const std::vector<json> all = packets();
        return std::any_of(all.begin(), all.end(), condition);
      },
      timeout);
}

bool FakeBroker::wait_for(const std::string& type, int connection, std::chrono::milliseconds timeout) const {
  return wait_until([&] { return !packets(type, connection).empty(); }, timeout);
}

}  // namespace sluice::test
