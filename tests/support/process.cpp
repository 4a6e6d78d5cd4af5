// SPDX-License-Identifier: Apache-2.0
#include "support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "support/temporary_directory.hpp"

extern char** environ;

namespace sluice::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    bool replaced = false;
    for (const auto& [name, value] : added) replaced = replaced || text.rfind(name + "=", 0) == 0;
    if (!replaced) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

FileDescriptor open_output(const std::string& file) {
  FileDescriptor fd(file.empty() ? ::memfd_create("output", MFD_CLOEXEC)
                                 : ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) fail("output of a process");
  return fd;
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const ProcessOptions& options)
    : output_(open_output(options.output_file)), output_file_(options.output_file) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) fail("pipe");
  const FileDescriptor read_end(pipe[0]);
  input_ = FileDescriptor(pipe[1]);

  std::vector<std::string> argument_texts = arguments;
  std::vector<std::string> environment_texts = environment_with(options.environment);
  const std::vector<char*> argv = pointers(argument_texts);
  const std::vector<char*> envp = pointers(environment_texts);
  const pid_t parent = ::getpid();

  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {  // only calls that are safe between fork and exec in a program with threads
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
    ::dup2(read_end.get(), STDIN_FILENO);
    ::dup2(output_.get(), STDOUT_FILENO);
    ::dup2(output_.get(), STDERR_FILENO);
    ::execvpe(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  pid_fd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pid_fd_) {
    const int error = errno;
    kill();
    throw std::system_error(error, std::generic_category(), "pidfd_open");
  }
}

Process::~Process() {
  kill();
}

std::optional<int> Process::wait(std::chrono::milliseconds timeout) {
  if (status_) return status_;
  pollfd ended{pid_fd_.get(), POLLIN, 0};
  if (pid_fd_ && ::poll(&ended, 1, static_cast<int>(timeout.count())) <= 0) return std::nullopt;
  int status = 0;
  if (::waitpid(pid_, &status, 0) == pid_) {
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return status_;
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

int Process::terminate(std::chrono::milliseconds timeout) {
  signal(SIGTERM);
  if (const auto status = wait(timeout)) return *status;
  kill();
  return status_.value_or(-1);
}

void Process::kill() {
  if (status_ || pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  if (::waitpid(pid_, &status, 0) == pid_) {
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

bool Process::write(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(input_.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

void Process::close_input() {
  const FileDescriptor closed = std::move(input_);
}

std::string Process::output() const {
  if (!output_file_.empty()) return read_file(output_file_);
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = ::pread(output_.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (n <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Finished run(const std::vector<std::string>& arguments, const ProcessOptions& options,
             const std::string& input, std::chrono::milliseconds timeout) {
  Process process(arguments, options);
  if (!input.empty()) process.write(input);
  process.close_input();
  const auto status = process.wait(timeout);
  if (!status) throw std::runtime_error(arguments[0] + " did not end:\n" + process.output());
  return {*status, process.output()};
}

}  // namespace sluice::test
