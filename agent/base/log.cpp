// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

namespace sluice {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

Level from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return Level::trace;
    case spdlog::level::debug:
      return Level::debug;
    case spdlog::level::warn:
      return Level::warn;
    case spdlog::level::err:
      return Level::error;
    default:
      return Level::info;
  }
}

class CallbackSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit CallbackSink(Logging::Receive receive) : receive_(std::move(receive)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    receive_(from_spdlog(message.level), {message.logger_name.data(), message.logger_name.size()},
             {message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

  Logging::Receive receive_;
};

// systemd sets JOURNAL_STREAM to device:inode of what it connected to standard error (systemd.exec(5)).
bool standard_error_is_the_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

std::shared_ptr<spdlog::sinks::sink> make_sink(const LogOptions& options) {
  LogOptions::Target target = options.target;
  if (target == LogOptions::Target::automatic) {
    target =
        standard_error_is_the_journal() ? LogOptions::Target::journal : LogOptions::Target::standard_error;
  }
  std::shared_ptr<spdlog::sinks::sink> sink;
  switch (target) {
    case LogOptions::Target::journal:
      sink = std::make_shared<spdlog::sinks::systemd_sink_mt>("sluice");
      sink->set_pattern("%n: %v");
      return sink;
    case LogOptions::Target::file:
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.path, options.max_bytes,
                                                                    options.keep);
      break;
    default:
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
  return sink;
}

}  // namespace

struct Log::Part {
  Part(const std::string& name, const std::shared_ptr<spdlog::sinks::sink>& sink) : logger(name, sink) {
    logger.flush_on(spdlog::level::warn);
  }
  spdlog::logger logger;
};

struct Logging::State {
  std::shared_ptr<spdlog::sinks::sink> sink;
  std::mutex mutex;
  // guarded by mutex
  Level level = Level::info;
  std::map<std::string, Level> levels;
  std::map<std::string, std::shared_ptr<Log::Part>> parts;

  Level level_of(const std::string& part) const {
    for (std::string name = part;;) {
      if (const auto found = levels.find(name); found != levels.end()) return found->second;
      const auto dot = name.rfind('.');
      if (dot == std::string::npos) return level;
      name.resize(dot);
    }
  }
};

void Log::line(Level level, std::string_view text) const {
  part_->logger.log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

bool Log::enabled(Level level) const {
  return part_->logger.should_log(to_spdlog(level));
}

void Log::write(Level level, fmt::string_view format, fmt::format_args args) const {
  if (enabled(level)) line(level, fmt::vformat(format, args));
}

Logging::Logging(const LogOptions& options) : state_(std::make_unique<State>()) {
  state_->sink = make_sink(options);
  set_levels(options);
}

Logging::Logging(Receive receive) : state_(std::make_unique<State>()) {
  state_->level = Level::trace;
  state_->sink = std::make_shared<CallbackSink>(std::move(receive));
}

Logging::~Logging() {
  flush();
}

Log Logging::part(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  auto& part = state_->parts[name];
  if (!part) {
    part = std::make_shared<Log::Part>(name, state_->sink);
    part->logger.set_level(to_spdlog(state_->level_of(name)));
  }
  return Log(part);
}

void Logging::set_levels(const LogOptions& options) {
  const std::lock_guard lock(state_->mutex);
  state_->level = options.level;
  state_->levels = options.levels;
  for (auto& [name, part] : state_->parts) part->logger.set_level(to_spdlog(state_->level_of(name)));
}

void Logging::flush() {
  state_->sink->flush();
}

}  // namespace sluice
