// SPDX-License-Identifier: Apache-2.0
#include "fake_kernel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::gpio {
namespace {

int fail(int error) {
  errno = error;
  return -1;
}

template <std::size_t Size>
void put(char (&field)[Size], const std::string& text) {
  std::memcpy(field, text.data(), std::min(text.size(), Size - 1));
}

std::string path_of(const std::string& chip) {
  return "/dev/" + chip;
}

}  // namespace

FakeKernel::Request::~Request() {
  if (writer >= 0) ::close(writer);
}

std::uint64_t FakeKernel::Request::flags(std::uint32_t index) const {
  for (std::uint32_t i = 0; i < raw.config.num_attrs; ++i) {
    const ::gpio_v2_line_config_attribute& one = raw.config.attrs[i];
    if (one.attr.id == GPIO_V2_LINE_ATTR_ID_FLAGS && (one.mask >> index & 1) != 0) return one.attr.flags;
  }
  return raw.config.flags;
}

bool FakeKernel::Request::released() const {
  ::pollfd end{writer, 0, 0};
  return ::poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0;
}

void FakeKernel::add(const std::string& chip, const std::string& label, std::vector<Line> lines) {
  const std::lock_guard lock(mutex_);
  chips_[path_of(chip)] = Chip{label, std::move(lines)};
}

void FakeKernel::remove(const std::string& chip) {
  const std::lock_guard lock(mutex_);
  chips_.erase(path_of(chip));
  for (auto at = open_requests_.begin(); at != open_requests_.end();) {
    if (at->second->chip != path_of(chip)) {
      ++at;
      continue;
    }
    if (!wake_on_removal_) gone_requests_.push_back(std::move(at->second));
    at = open_requests_.erase(at);  // hangs up, unless it is kept
  }
}

void FakeKernel::merge(const std::string& chip, std::uint32_t offset, bool value) {
  const std::lock_guard lock(mutex_);
  chips_.at(path_of(chip)).lines.at(offset).value = value;
}

void FakeKernel::pull(const std::string& chip, std::uint32_t offset, bool value, std::int64_t time_ns,
                      bool lose) {
  const std::lock_guard lock(mutex_);
  Line& line = chips_.at(path_of(chip)).lines.at(offset);
  if (line.value == value) return;
  line.value = value;
  for (const auto& [fd, request] : open_requests_) {
    if (request->chip != path_of(chip)) continue;
    for (std::uint32_t i = 0; i < request->raw.num_lines; ++i) {
      if (request->raw.offsets[i] != offset) continue;
      const std::uint64_t flags = request->flags(i);
      const bool rises = value != ((flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW) != 0);
      if ((flags & (rises ? GPIO_V2_LINE_FLAG_EDGE_RISING : GPIO_V2_LINE_FLAG_EDGE_FALLING)) == 0) continue;
      ::gpio_v2_line_event event{};
      event.timestamp_ns = static_cast<std::uint64_t>(time_ns);
      event.id = rises ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE;
      event.offset = offset;
      event.seqno = ++request->sequence;
      event.line_seqno = ++request->line_sequence[offset];
      if (!lose) static_cast<void>(!::write(request->writer, &event, sizeof(event)));
    }
  }
}

bool FakeKernel::voltage(const std::string& chip, std::uint32_t offset) const {
  const std::lock_guard lock(mutex_);
  return chips_.at(path_of(chip)).lines.at(offset).value;
}

std::vector<::gpio_v2_line_request> FakeKernel::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> FakeKernel::chips() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, chip] : chips_) paths.push_back(path);
  return paths;
}

int FakeKernel::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (chips_.count(path) == 0) return fail(ENOENT);
  const int fd = ::eventfd(0, EFD_CLOEXEC);
  forget_released();
  if (fd >= 0) open_chips_[fd] = path;
  return fd;
}

int FakeKernel::ioctl(int fd, unsigned long request, void* argument) {
  const std::lock_guard lock(mutex_);
  const auto lines = open_requests_.find(fd);
  if (request == GPIO_V2_LINE_GET_VALUES_IOCTL || request == GPIO_V2_LINE_SET_VALUES_IOCTL) {
    if (lines == open_requests_.end()) return fail(ENODEV);
    auto& values = *static_cast<::gpio_v2_line_values*>(argument);
    return request == GPIO_V2_LINE_GET_VALUES_IOCTL ? get_values(*lines->second, values)
                                                    : set_values(*lines->second, values);
  }
  const auto opened = open_chips_.find(fd);
  if (opened == open_chips_.end()) return fail(EBADF);
  const std::string& path = opened->second;
  const auto chip = chips_.find(path);
  if (chip == chips_.end()) return fail(ENODEV);
  switch (request) {
    case GPIO_GET_CHIPINFO_IOCTL:
      return chip_info(chip->second, path, *static_cast<::gpiochip_info*>(argument));
    case GPIO_V2_GET_LINEINFO_IOCTL:
      return line_info(chip->second, path, *static_cast<::gpio_v2_line_info*>(argument));
    case GPIO_V2_GET_LINE_IOCTL:
      return get_lines(chip->second, path, *static_cast<::gpio_v2_line_request*>(argument));
    default:
      return fail(ENOTTY);
  }
}

int FakeKernel::chip_info(const Chip& chip, const std::string& path, ::gpiochip_info& info) {
  put(info.name, path.substr(5));
  put(info.label, chip.label);
  info.lines = static_cast<std::uint32_t>(chip.lines.size());
  return 0;
}

int FakeKernel::line_info(const Chip& chip, const std::string& path, ::gpio_v2_line_info& info) {
  if (info.offset >= chip.lines.size()) return fail(EINVAL);
  const Line& line = chip.lines[info.offset];
  put(info.name, line.name);
  put(info.consumer, line.consumer);
  const Request* const used = user(path, info.offset);
  if (used != nullptr) put(info.consumer, used->raw.consumer);
  if (used != nullptr || !line.consumer.empty()) info.flags = GPIO_V2_LINE_FLAG_USED;
  return 0;
}

int FakeKernel::get_lines(Chip& chip, const std::string& path, ::gpio_v2_line_request& request) {
  requests_.push_back(request);
  forget_released();
  if (request.num_lines == 0 || request.num_lines > GPIO_V2_LINES_MAX) return fail(EINVAL);
  if (request.config.num_attrs > GPIO_V2_LINE_NUM_ATTRS_MAX) return fail(EINVAL);
  auto made = std::make_unique<Request>();
  made->chip = path;
  made->raw = request;
  for (std::uint32_t i = 0; i < request.num_lines; ++i) {
    const std::uint32_t offset = request.offsets[i];
    const std::uint64_t flags = made->flags(i);
    const bool input = (flags & GPIO_V2_LINE_FLAG_INPUT) != 0;
    const bool output = (flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0;
    const bool edges = (flags & (GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING)) != 0;
    const bool drive = (flags & (GPIO_V2_LINE_FLAG_OPEN_DRAIN | GPIO_V2_LINE_FLAG_OPEN_SOURCE)) != 0;
    if (offset >= chip.lines.size() || input == output || (edges && !input) || (drive && !output))
      return fail(EINVAL);
    if (!chip.lines[offset].consumer.empty() || user(path, offset) != nullptr) return fail(EBUSY);
  }
  for (std::uint32_t i = 0; i < request.config.num_attrs; ++i) {
    const ::gpio_v2_line_config_attribute& one = request.config.attrs[i];
    if (one.attr.id == GPIO_V2_LINE_ATTR_ID_DEBOUNCE && refuse_debounce_) return fail(EINVAL);
    if (one.attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES) set_values(*made, {one.attr.values, one.mask});
  }
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return -1;
  made->writer = ends[1];
  request.fd = ends[0];
  open_chips_.erase(ends[0]);
  open_requests_[ends[0]] = std::move(made);
  return 0;
}

int FakeKernel::get_values(const Request& request, ::gpio_v2_line_values& values) {
  const Chip& chip = chips_.at(request.chip);
  values.bits = 0;
  for (std::uint32_t i = 0; i < request.raw.num_lines; ++i) {
    if ((values.mask >> i & 1) == 0) continue;
    const bool low = (request.flags(i) & GPIO_V2_LINE_FLAG_ACTIVE_LOW) != 0;
    if (chip.lines[request.raw.offsets[i]].value != low) values.bits |= std::uint64_t{1} << i;
  }
  return 0;
}

int FakeKernel::set_values(const Request& request, const ::gpio_v2_line_values& values) {
  Chip& chip = chips_.at(request.chip);
  for (std::uint32_t i = 0; i < request.raw.num_lines; ++i) {
    if ((values.mask >> i & 1) == 0) continue;
    const std::uint64_t flags = request.flags(i);
    if ((flags & GPIO_V2_LINE_FLAG_OUTPUT) == 0) return fail(EPERM);
    const bool low = (flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW) != 0;
    chip.lines[request.raw.offsets[i]].value = ((values.bits >> i & 1) != 0) != low;
  }
  return 0;
}

const FakeKernel::Request* FakeKernel::user(const std::string& path, std::uint32_t offset) const {
  for (const auto& [fd, request] : open_requests_) {
    const auto* const first = request->raw.offsets;
    const auto* const end = first + request->raw.num_lines;
    if (request->chip == path && std::find(first, end, offset) != end) return request.get();
  }
  return nullptr;
}

void FakeKernel::forget_released() {
  for (auto at = open_requests_.begin(); at != open_requests_.end();) {
    at = at->second->released() ? open_requests_.erase(at) : std::next(at);
  }
}

}  // namespace sluice::gpio
