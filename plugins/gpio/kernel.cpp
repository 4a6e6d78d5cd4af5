// SPDX-License-Identifier: Apache-2.0
#include "kernel.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace sluice::gpio {
namespace {

class LinuxKernel final : public Kernel {
 public:
  std::vector<std::string> chips() override {
    std::vector<std::string> paths;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/dev", ignored)) {
      if (entry.path().filename().string().rfind("gpiochip", 0) == 0) paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  int open(const std::string& path) override { return ::open(path.c_str(), O_RDWR | O_CLOEXEC); }
  int ioctl(int fd, unsigned long request, void* argument) override { return ::ioctl(fd, request, argument); }
};

}  // namespace

Kernel& linux_kernel() {
  static LinuxKernel kernel;
  return kernel;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace sluice::gpio
