// SPDX-License-Identifier: Apache-2.0
//
// The plugin `file`: an output that appends every message to a file, as one line of JSON.
#include "journal.hpp"
#include "line.hpp"

#include <sluice/plugin.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace file {

namespace {

using namespace std::chrono_literals;
using sluice::setting;

constexpr std::chrono::seconds sync_interval = 1s;
constexpr std::chrono::seconds retry_pause = 2s;

enum class Sync { never, each_batch, every_second };

Sync sync_of(std::string_view name) {
  if (name == "never") return Sync::never;
  return name == "each-batch" ? Sync::each_batch : Sync::every_second;
}

}  // namespace

class File {
 public:
  static sluice::Description describe() {
    return sluice::Description("file", "1.0.0", "Appends every message to a file, as one line of JSON.")
        .settings({
            setting("path").string().required().help(
                "The file: an absolute path in a folder that exists; made where it is missing."),
            setting("fsync")
                .string()
                .choices({"never", "each-batch", "1s"})
                .defaults("1s")
                .help("When lines are forced to the disk: never, before they are answered, or within a "
                      "second."),
        });
  }
  static void validate(const sluice::Settings& settings, sluice::Report& report) {
    const auto path = settings["path"].as<std::string_view>();
    if (path.empty() || path.front() != '/') report.problem(settings["path"], "expected an absolute path");
    if (!path.empty() && path.back() == '/')
      report.problem(settings["path"], "expected a file, not a folder");
  }
  static void plan(const sluice::Settings& settings, sluice::Report& report) {
    report.line("appends lines of JSON to " + settings["path"].as<std::string>() + ", fsync " +
                settings["fsync"].as<std::string>());
  }

  File(sluice::Host host, const sluice::Settings& settings)
      : host_(host),
        sync_(sync_of(settings["fsync"].as<std::string_view>())),
        lines_(host.counter("lines")),
        bytes_(host.counter("bytes")),
        write_errors_(host.counter("write_errors")),
        torn_lines_(host.counter("torn_lines")),
        reopened_(host.counter("reopened")),
        journal_(settings["path"].as<std::string>()) {
    if (sync_ == Sync::every_second) syncer_ = std::thread([this] { sync_every_second(); });
  }
  ~File() {
    if (!syncer_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    syncer_.join();
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void handle(sluice::Messages messages) {
    std::string lines;
    const sluice::Now now = host_.now();
    for (const sluice::ReceivedMessage& message : messages) lines += line_of(message, now);
    const std::string problem = write(lines);
    if (problem.empty()) {
      lines_.add(static_cast<double>(messages.size()));
      bytes_.add(static_cast<double>(lines.size()));
    } else {
      ++write_errors_;
    }
    say(problem);
    // Waiting here, with the next batches behind it, keeps the lines in order: a message that is put off lets others pass.
    if (!problem.empty()) host_.wait(retry_pause);
    for (const sluice::ReceivedMessage& message : messages) {
      if (problem.empty()) {
        host_.complete(message.token());
      } else {
        host_.retry(message.token(), 0s, problem);
      }
    }
  }

 private:
  // Answers why it did not work; empty: it did.
  std::string write(const std::string& lines) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t torn = journal_.torn_lines();
    const std::uint64_t reopened = journal_.reopened();
    std::string problem;
    try {
      journal_.append(lines);
      if (sync_ == Sync::each_batch) sync_or_take_back();
    } catch (const JournalError& error) {
      problem = error.what();
    }
    torn_lines_.add(static_cast<double>(journal_.torn_lines() - torn));
    reopened_.add(static_cast<double>(journal_.reopened() - reopened));
    changed_.notify_one();
    return problem;
  }

  // What was not synced is to be written again.
  void sync_or_take_back() {
    try {
      journal_.sync();
    } catch (const JournalError&) {
      journal_.take_back();
      throw;
    }
  }

  void sync_every_second() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      changed_.wait(lock, [this] { return ending_ || !journal_.synced(); });
      // What is written in the meantime goes along.
      changed_.wait_for(lock, sync_interval, [this] { return ending_; });
      try {
        journal_.sync();
      } catch (const JournalError& error) {
        ++write_errors_;
        host_.error(error.what());
      }
    }
  }

  // One line for each change of state.
  void say(const std::string& problem) {
    if (problem.empty() && failing_) host_.info("the file can be written again");
    if (!problem.empty() && !failing_) host_.error(problem + "; tried again every 2 s");
    failing_ = !problem.empty();
  }

  const sluice::Host host_;
  const Sync sync_;
  const sluice::Counter lines_;
  const sluice::Counter bytes_;
  const sluice::Counter write_errors_;
  const sluice::Counter torn_lines_;
  const sluice::Counter reopened_;
  bool failing_ = false;  // of the thread of handle()

  std::mutex mutex_;
  std::condition_variable changed_;
  Journal journal_;      // guarded by mutex_
  bool ending_ = false;  // guarded by mutex_
  std::thread syncer_;   // the last member: it uses the others
};

}  // namespace file

SLUICE_PLUGIN(file::File);
