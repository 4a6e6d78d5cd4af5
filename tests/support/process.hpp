// SPDX-License-Identifier: Apache-2.0
// A child process that never outlives its owner, nor the thread that started it: its end kills the child too.
// Not for several threads at once.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_descriptor.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {

struct ProcessOptions {
  std::string directory;    ///< working directory; empty: that of the test
  std::string output_file;  ///< standard output and error go there; empty: kept, and read by output()
  std::vector<std::pair<std::string, std::string>> environment;  ///< set beside what the test has
};

class Process {
 public:
  /// Starts `arguments[0]` (looked up in PATH). Throws std::system_error; a program that cannot be executed ends
  /// with 127.
  explicit Process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});
  /// SIGKILL, and waits.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running() { return !wait(std::chrono::milliseconds(0)); }
  /// Its exit status, or 128 and the signal that ended it, as the shell has it; nothing: it still runs.
  std::optional<int> wait(std::chrono::milliseconds timeout = patience);
  /// Does nothing once it has ended.
  void signal(int number);
  /// SIGTERM, then SIGKILL after `timeout`; its exit status as wait() gives it.
  int terminate(std::chrono::milliseconds timeout = patience);
  /// SIGKILL, and waits.
  void kill();
  /// Writes to its standard input; false: it has closed it.
  bool write(const std::string& text);
  void close_input();
  /// Standard output and error so far.
  std::string output() const;

 private:
  pid_t pid_ = -1;
  FileDescriptor pid_fd_;  // readable once it has ended
  FileDescriptor input_;
  FileDescriptor output_;  // an anonymous file, unless there is an output file
  std::string output_file_;
  std::optional<int> status_;
};

struct Finished {
  int status = 0;
  std::string output;  ///< standard output and error
};

/// Runs a program to its end. Throws std::runtime_error after `timeout`.
Finished run(const std::vector<std::string>& arguments, const ProcessOptions& options = {},
             const std::string& input = {}, std::chrono::milliseconds timeout = patience);

}  // namespace sluice::test
