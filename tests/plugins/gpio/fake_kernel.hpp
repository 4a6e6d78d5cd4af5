// SPDX-License-Identifier: Apache-2.0
// GPIO chips in memory, behind the ioctls of the kernel's character device: what it takes, refuses and sends is what
// drivers/gpio/gpiolib-cdev.c of Linux 6.1 does. For every thread.
#pragma once

#include <linux/gpio.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernel.hpp"

namespace sluice::gpio {

class FakeKernel final : public Kernel {
 public:
  struct Line {
    std::string name;
    std::string consumer;  // in use by somebody else
    bool value = false;    // the voltage
  };

  void add(const std::string& chip, const std::string& label, std::vector<Line> lines);
  // The chip is unplugged. Nobody who waits for edges is woken, but with wake_on_removal(), as Linux 6.6 does.
  void remove(const std::string& chip);
  void wake_on_removal() { wake_on_removal_ = true; }
  void refuse_debounce() { refuse_debounce_ = true; }

  // Changes the voltage of a line, at that time. `lose`: as if the buffer had been full.
  void pull(const std::string& chip, std::uint32_t offset, bool value, std::int64_t time_ns,
            bool lose = false);
  // Changes it so soon after the edge before that the kernel makes one of both.
  void merge(const std::string& chip, std::uint32_t offset, bool value);
  bool voltage(const std::string& chip, std::uint32_t offset) const;
  // The requests so far, as they came.
  std::vector<::gpio_v2_line_request> requests() const;

  std::vector<std::string> chips() override;
  int open(const std::string& path) override;
  int ioctl(int fd, unsigned long request, void* argument) override;

 private:
  struct Chip {
    std::string label;
    std::vector<Line> lines;
  };
  struct Request {
    std::string chip;
    ::gpio_v2_line_request raw{};
    int writer = -1;  // edges go in here; the instance has the other end
    std::uint32_t sequence = 0;
    std::map<std::uint32_t, std::uint32_t> line_sequence;
    ~Request();
    std::uint64_t flags(std::uint32_t index) const;
    bool released() const;
  };

  int chip_info(const Chip& chip, const std::string& path, ::gpiochip_info& info);
  int line_info(const Chip& chip, const std::string& path, ::gpio_v2_line_info& info);
  int get_lines(Chip& chip, const std::string& path, ::gpio_v2_line_request& request);
  int get_values(const Request& request, ::gpio_v2_line_values& values);
  int set_values(const Request& request, const ::gpio_v2_line_values& values);
  const Request* user(const std::string& path, std::uint32_t offset) const;
  void forget_released();

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<std::string, Chip> chips_;  // by path
  std::map<int, std::string>
      open_chips_;  // by descriptor; those that were closed stay until the number comes again
  std::map<int, std::unique_ptr<Request>> open_requests_;
  std::vector<::gpio_v2_line_request> requests_;
  std::vector<std::unique_ptr<Request>> gone_requests_;  // of chips that were removed
  bool refuse_debounce_ = false;
  bool wake_on_removal_ = false;
};

}  // namespace sluice::gpio
