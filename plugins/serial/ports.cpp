// SPDX-License-Identifier: Apache-2.0
#include "ports.hpp"

#include <libserialport.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <system_error>

namespace serial {

namespace {

namespace fs = std::filesystem;

// What may fail here because a device comes or goes: an empty answer is right then.
template <class Visit>
void for_each_entry(const char* folder, Visit&& visit) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    visit(at->path());
}

// The kernel makes a fixed number of ttyS devices; the type of one without hardware is 0.
bool has_hardware(const fs::path& tty) {
  std::error_code error;
  if (!fs::exists(tty / "device", error)) return false;
  std::ifstream file(tty / "type");
  int type = -1;
  return !(file >> type) || type != 0;
}

std::string description(const std::string& device) {
  sp_port* found = nullptr;
  if (sp_get_port_by_name(device.c_str(), &found) != SP_OK) return {};
  const std::unique_ptr<sp_port, decltype(&sp_free_port)> port(found, &sp_free_port);
  const char* text = sp_get_port_description(port.get());
  return text == nullptr ? std::string() : text;
}

}  // namespace

std::vector<PortInfo> list_ports() {
  std::map<std::string, std::string> by_id;  // device, lasting name
  for_each_entry("/dev/serial/by-id", [&](const fs::path& link) {
    std::error_code error;
    const fs::path device = fs::canonical(link, error);
    if (!error) by_id.emplace(device.string(), link.string());
  });
  std::vector<PortInfo> ports;
  for_each_entry("/sys/class/tty", [&](const fs::path& tty) {
    if (!has_hardware(tty)) return;
    const std::string device = "/dev/" + tty.filename().string();
    const auto lasting = by_id.find(device);
    ports.push_back(PortInfo{lasting == by_id.end() ? device : lasting->second, description(device)});
  });
  std::sort(ports.begin(), ports.end(),
            [](const PortInfo& a, const PortInfo& b) { return a.device < b.device; });
  return ports;
}

std::string describe_ports(const std::vector<PortInfo>& ports) {
  if (ports.empty()) return "this machine has no serial port now";
  std::string text = "the ports here are ";
  for (const PortInfo& port : ports) {
    if (&port != &ports.front()) text += ", ";
    text += port.device;
    if (!port.description.empty()) text += " (" + port.description + ")";
  }
  return text;
}

}  // namespace serial
