// SPDX-License-Identifier: Apache-2.0
//
// An open GPIO chip, and requested lines of one. The lines are ours until the object ends. Both belong to the thread of
// the instance. Everything here throws std::runtime_error with a text for people.
#pragma once

#include "kernel.hpp"
#include "request.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::gpio {

// The lines of one request. Bit i of a mask is the line at offsets[i] of the request.
class Lines {
 public:
  Lines(Kernel& kernel, File file) : kernel_(&kernel), file_(std::move(file)) {}
  int fd() const { return file_.get(); }
  std::uint64_t values(std::uint64_t mask) const;
  void set(std::uint64_t mask, std::uint64_t values) const;
  // The edges that wait, at most 64. Call it when the descriptor is readable.
  std::vector<::gpio_v2_line_event> edges() const;

 private:
  Kernel* kernel_;
  File file_;
};

class Chip {
 public:
  // `wanted`: "/dev/gpiochip0", "gpiochip0", or the label.
  Chip(Kernel& kernel, const std::string& wanted);

  const std::string& name() const { return name_; }  // "gpiochip0 [label]"
  // Where the line is.
  std::uint32_t offset_of(const LineOptions& line) const;
  // Asks for the lines. Where the kernel refuses only the debouncing, it asks without, and marks these lines.
  Lines request(std::vector<Wanted>& lines, std::string_view consumer, std::uint32_t event_buffer) const;

 private:
  ::gpio_v2_line_info info(std::uint32_t offset) const;
  [[noreturn]] void refused(const std::vector<Wanted>& lines, int error) const;

  Kernel& kernel_;
  File file_;
  std::string name_;
  std::uint32_t count_ = 0;
};

}  // namespace sluice::gpio
