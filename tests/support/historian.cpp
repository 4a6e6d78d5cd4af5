// SPDX-License-Identifier: Apache-2.0
#include "support/historian.hpp"

#include <fstream>
#include <stdexcept>

namespace sluice::test {

Historian::Historian(std::uint16_t port) {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{SLUICE_HISTORIAN, std::to_string(port), directory_.file("messages")});
  const auto subscribed = [this] { return process_->output().find("subscribed") != std::string::npos; };
  const bool ready = wait_until([&] { return subscribed() || !process_->running(); });
  if (!ready || !subscribed()) throw std::runtime_error("historian: " + process_->output());
}

void Historian::read() {
  std::ifstream in(directory_.file("messages"), std::ios::binary);
  in.seekg(static_cast<std::streamoff>(read_));
  for (std::string line;
       std::getline(in, line) && !in.eof();) {  // a line without its end is still being written
    read_ += line.size() + 1;
    ++arrived_;
    const std::size_t id_end = line.find(' ');
    const std::size_t topic_end = line.find(' ', id_end + 1);
    if (topic_end == std::string::npos) throw std::runtime_error("historian: " + line);
    ids_.insert(line.substr(0, id_end));
    if (line.compare(id_end + 1, topic_end - id_end - 1, topic_) == 0) {
      payloads_.insert(line.substr(topic_end + 1));
    }
  }
}

}  // namespace sluice::test
