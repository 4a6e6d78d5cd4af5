// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <chrono>
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

// Of the line that this thread is writing: spdlog carries none.
thread_local const std::vector<LogField>* fields_of_line = nullptr;

int to_priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::err:
      return LOG_ERR;
    case spdlog::level::warn:
      return LOG_WARNING;
    case spdlog::level::info:
      return LOG_INFO;
    default:
      return LOG_DEBUG;
  }
}

// Without a lock: it has nothing to guard, and a thread that the journal holds up is to wait alone.
class JournalSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    static const std::vector<LogField> none;
    send_to_journal(journal_entry(to_priority(message.level),
                                  {message.logger_name.data(), message.logger_name.size()},
                                  {message.payload.data(), message.payload.size()},
                                  fields_of_line == nullptr ? none : *fields_of_line));
  }
  void flush_() override {}
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
      return std::make_shared<JournalSink>();
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

// Where all lines go; kept by the parts, which may outlive their Logging.
struct Log::Outlet {
  Outlet(std::shared_ptr<spdlog::sinks::sink> to, RepeatLimit limit) : sink(std::move(to)), repeats(limit) {}

  bool pass(spdlog::level::level_enum level, std::string_view part, std::string_view format,
            std::string_view text) {
    if (level < spdlog::level::info) return true;
    const auto now = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex);
    const bool passes = repeats.pass(level, part, format == "{}" ? text : format, text, now);
    const std::vector<Repeats::Sum> sums = repeats.take(now);
    lock.unlock();
    write(sums);
    return passes;
  }

  void sum_up(bool all) {
    std::unique_lock lock(mutex);
    const std::vector<Repeats::Sum> sums = repeats.take(std::chrono::steady_clock::now(), all);
    lock.unlock();
    write(sums);
  }

  void write(const std::vector<Repeats::Sum>& sums) const {
    for (const Repeats::Sum& sum : sums) {
      spdlog::logger(sum.part, sink)
          .log(static_cast<spdlog::level::level_enum>(sum.level), "{} more of these in the last {} s: {}",
               sum.lines, sum.time.count(), sum.last);
    }
  }

  const std::shared_ptr<spdlog::sinks::sink> sink;
  std::mutex mutex;
  Repeats repeats;  // guarded by mutex
};

struct Log::Part {
  Part(const std::string& name, std::shared_ptr<Outlet> to)
      : outlet(std::move(to)), logger(name, outlet->sink) {
    logger.flush_on(spdlog::level::warn);
  }
  const std::shared_ptr<Outlet> outlet;
  spdlog::logger logger;
};

struct Logging::State {
  State(std::shared_ptr<spdlog::sinks::sink> sink, RepeatLimit limit)
      : outlet(std::make_shared<Log::Outlet>(std::move(sink), limit)) {}

  const std::shared_ptr<Log::Outlet> outlet;
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
  if (enabled(level)) say(level, text, text);
}

bool Log::enabled(Level level) const {
  return part_->logger.should_log(to_spdlog(level));
}

Log Log::with(const char* field, std::string value) const {
  Log log = *this;
  log.fields_.push_back({field, std::move(value)});
  return log;
}

void Log::write(Level level, fmt::string_view format, fmt::format_args args) const {
  if (enabled(level)) say(level, {format.data(), format.size()}, fmt::vformat(format, args));
}

void Log::say(Level level, std::string_view format, std::string_view text) const {
  const spdlog::level::level_enum severity = to_spdlog(level);
  if (!part_->outlet->pass(severity, part_->logger.name(), format, text)) return;
  fields_of_line = &fields_;
  part_->logger.log(severity, spdlog::string_view_t(text.data(), text.size()));
  fields_of_line = nullptr;
}

Logging::Logging(const LogOptions& options, RepeatLimit limit)
    : state_(std::make_unique<State>(make_sink(options), limit)) {
  set_levels(options);
}

Logging::Logging(Receive receive, RepeatLimit limit)
    : state_(std::make_unique<State>(std::make_shared<CallbackSink>(std::move(receive)), limit)) {
  state_->level = Level::trace;
}

Logging::~Logging() {
  state_->outlet->sum_up(true);
  state_->outlet->sink->flush();
}

Log Logging::part(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  auto& part = state_->parts[name];
  if (!part) {
    part = std::make_shared<Log::Part>(name, state_->outlet);
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

void Logging::sum_up() {
  state_->outlet->sum_up(false);
}

std::uint64_t Logging::suppressed() const {
  const std::lock_guard lock(state_->outlet->mutex);
  return state_->outlet->repeats.suppressed();
}

}  // namespace sluice
