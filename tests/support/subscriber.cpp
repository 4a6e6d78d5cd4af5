// SPDX-License-Identifier: Apache-2.0
#include "support/subscriber.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "support/script.hpp"

namespace sluice::test {
namespace {

using nlohmann::json;

// Bytes travel as hexadecimal digits.
std::string bytes(const json& object, const char* key) {
  std::string decoded;
  const std::string digits = object.value(key, "");
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    decoded.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return decoded;
}

Received parse(const std::string& line) {
  const json object = json::parse(line);
  Received message;
  message.topic = object.at("topic");
  message.payload =
      object.contains("payload") ? object.at("payload").get<std::string>() : bytes(object, "payload_hex");
  message.qos = object.at("qos");
  message.retain = object.at("retain");
  message.duplicate = object.at("dup");
  const json& properties = object.at("properties");
  message.content_type = properties.value("content_type", "");
  message.response_topic = properties.value("response_topic", "");
  message.correlation_data = bytes(properties, "correlation_data_hex");
  if (properties.contains("expiry")) message.expiry = properties.at("expiry").get<int>();
  for (const json& pair : properties.value("user_properties", json::array())) {
    message.user_properties.emplace_back(pair.at(0), pair.at(1));
  }
  return message;
}

}  // namespace

Subscriber::Subscriber(std::uint16_t port, SubscriberOptions options) {
  const json settings{{"port", port},
                      {"filters", options.filters},
                      {"qos", options.qos},
                      {"persistent_id", options.persistent_id},
                      {"username", options.username},
                      {"password", options.password},
                      {"version", options.version},
                      {"file", directory_.file("messages")}};
  process_ = std::make_unique<Process>(script("subscriber.py", {settings.dump()}));
  const bool ready = wait_until([this] { return connections() > 0 || !process_->running(); });
  if (!ready || connections() == 0) throw std::runtime_error("subscriber.py: " + process_->output());
}

std::size_t Subscriber::connections() const {
  std::size_t count = 0;
  const std::string output = process_->output();
  for (auto at = output.find("subscribed\n"); at != std::string::npos;
       at = output.find("subscribed\n", at + 1)) {
    ++count;
  }
  return count;
}

const std::vector<Received>& Subscriber::messages() {
  std::ifstream in(directory_.file("messages"), std::ios::binary);
  in.seekg(static_cast<std::streamoff>(read_));
  for (std::string line;
       std::getline(in, line) && !in.eof();) {  // a line without its end is still being written
    read_ += line.size() + 1;
    received_.push_back(parse(line));
  }
  return received_;
}

std::size_t Subscriber::count() {
  std::ifstream in(directory_.file("messages"), std::ios::binary);
  in.seekg(static_cast<std::streamoff>(counted_bytes_));
  std::array<char, 1U << 16U> part;
  while (in.read(part.data(), part.size()), in.gcount() > 0) {
    const auto end = part.begin() + in.gcount();
    lines_ += static_cast<std::size_t>(std::count(part.begin(), end, '\n'));
    counted_bytes_ += static_cast<std::size_t>(in.gcount());
  }
  return lines_;
}

bool Subscriber::wait_for(std::size_t n, std::chrono::milliseconds timeout) {
  return wait_until([&] { return count() >= n; }, timeout);
}

bool Subscriber::wait_for(const std::function<bool(const Received&)>& condition,
                          std::chrono::milliseconds timeout) {
  return wait_until(
      [&] {
        const std::vector<Received>& all = messages();
        return std::any_of(all.begin(), all.end(), condition);
      },
      timeout);
}

}  // namespace sluice::test
