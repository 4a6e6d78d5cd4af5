// SPDX-License-Identifier: Apache-2.0
#include "chip.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace sluice::gpio {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  std::string text = what + ": " + std::strerror(error);
  if (error == EACCES || error == EPERM) text += "; the agent's user needs access, often by the group gpio";
  throw std::runtime_error(text);
}

// The kernel's fixed fields are not always terminated.
template <std::size_t Size>
std::string text_of(const char (&field)[Size]) {
  return std::string(field, ::strnlen(field, Size));
}

std::string described(const ::gpiochip_info& info) {
  return text_of(info.name) + " [" + text_of(info.label) + "]";
}

}  // namespace

std::uint64_t Lines::values(std::uint64_t mask) const {
  ::gpio_v2_line_values values{0, mask};
  if (kernel_->ioctl(fd(), GPIO_V2_LINE_GET_VALUES_IOCTL, &values) < 0) fail("cannot read the lines", errno);
  return values.bits;
}

void Lines::set(std::uint64_t mask, std::uint64_t bits) const {
  ::gpio_v2_line_values values{bits, mask};
  if (kernel_->ioctl(fd(), GPIO_V2_LINE_SET_VALUES_IOCTL, &values) < 0) fail("cannot set the line", errno);
}

std::vector<::gpio_v2_line_event> Lines::edges() const {
  std::array<::gpio_v2_line_event, 64> buffer{};
  const ::ssize_t got = ::read(fd(), buffer.data(), sizeof(buffer));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got < 0) fail("cannot read edges", errno);
  if (got == 0) fail("cannot read edges", ENODEV);
  const auto count = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(got) / sizeof(buffer[0]));
  return {buffer.begin(), buffer.begin() + count};
}

Chip::Chip(Kernel& kernel, const std::string& wanted) : kernel_(kernel) {
  std::string known;
  const bool is_path = !wanted.empty() && wanted.front() == '/';  // also one that udev made
  for (const std::string& path : is_path ? std::vector<std::string>{wanted} : kernel.chips()) {
    const std::string name = path.substr(path.rfind('/') + 1);
    const bool named = wanted == path || wanted == name;
    File file(kernel.open(path));
    if (file.get() < 0) {
      if (named) fail("chip " + path, errno);
      continue;
    }
    ::gpiochip_info info{};
    if (kernel.ioctl(file.get(), GPIO_GET_CHIPINFO_IOCTL, &info) < 0) {
      if (named) fail("chip " + path, errno);
      continue;
    }
    if (named || wanted == text_of(info.label)) {
      if (file_.get() >= 0) {
        throw std::runtime_error("several chips have the label \"" + wanted + "\": " + name_ + " and " +
                                 described(info));
      }
      file_ = std::move(file);
      name_ = described(info);
      count_ = info.lines;
      if (named) return;
    }
    known += (known.empty() ? "" : ", ") + described(info);
  }
  if (file_.get() < 0) {
    throw std::runtime_error("there is no GPIO chip \"" + wanted + "\"" +
                             (known.empty() ? "; this machine has none" : "; there are: " + known));
  }
}

std::uint32_t Chip::offset_of(const LineOptions& line) const {
  if (line.offset) {
    if (*line.offset < count_) return *line.offset;
    throw std::runtime_error("line \"" + line.name + "\": " + name_ + " has " + std::to_string(count_) +
                             " lines, so there is no offset " + std::to_string(*line.offset));
  }
  for (std::uint32_t offset = 0; offset < count_; ++offset) {
    if (text_of(info(offset).name) == line.line_name) return offset;
  }
  throw std::runtime_error("line \"" + line.name + "\": " + name_ + " has no line named \"" + line.line_name +
                           "\"");
}

Lines Chip::request(std::vector<Wanted>& lines, std::string_view consumer, std::uint32_t event_buffer) const {
  ::gpio_v2_line_request request = make_request(lines, consumer, event_buffer);
  if (kernel_.ioctl(file_.get(), GPIO_V2_GET_LINE_IOCTL, &request) >= 0) return {kernel_, File(request.fd)};
  const int error = errno;
  const auto debounced = [](const Wanted& wanted) { return wanted.line->debounce.count() > 0; };
  // 524 is ENOTSUPP, which the kernel keeps to itself but for drivers that let it out.
  const bool perhaps_debounce = error == EINVAL || error == EOPNOTSUPP || error == ENXIO || error == 524;
  if (!perhaps_debounce || std::none_of(lines.begin(), lines.end(), debounced)) refused(lines, error);
  for (Wanted& wanted : lines) wanted.software_debounce = debounced(wanted);
  request = make_request(lines, consumer, event_buffer);
  if (kernel_.ioctl(file_.get(), GPIO_V2_GET_LINE_IOCTL, &request) < 0) refused(lines, errno);
  return {kernel_, File(request.fd)};
}

::gpio_v2_line_info Chip::info(std::uint32_t offset) const {
  ::gpio_v2_line_info info{};
  info.offset = offset;
  if (kernel_.ioctl(file_.get(), GPIO_V2_GET_LINEINFO_IOCTL, &info) < 0) {
    fail(name_ + ": line " + std::to_string(offset), errno);
  }
  return info;
}

void Chip::refused(const std::vector<Wanted>& lines, int error) const {
  if (error == EBUSY) {
    for (const Wanted& wanted : lines) {
      const ::gpio_v2_line_info held = info(wanted.offset);
      if ((held.flags & GPIO_V2_LINE_FLAG_USED) == 0) continue;
      const std::string consumer = text_of(held.consumer);
      throw std::runtime_error("line \"" + wanted.line->name + "\" (" + name_ + ", offset " +
                               std::to_string(wanted.offset) + ") is in use by " +
                               (consumer.empty() ? "somebody who gives no name" : "\"" + consumer + "\""));
    }
  }
  std::string names;
  for (const Wanted& wanted : lines) names += (names.empty() ? "" : ", ") + wanted.line->name;
  fail(name_ + ": cannot use the lines " + names, error);
}

}  // namespace sluice::gpio
