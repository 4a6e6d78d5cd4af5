// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <system_error>
#include <utility>

#include "agent.hpp"
#include "base/file_descriptor.hpp"
#include "base/test_switches.hpp"
#include "commands/commands.hpp"
#include "commands/configuration.hpp"
#include "config/last_good.hpp"
#include "service_manager.hpp"
#include "version.hpp"

namespace sluice::commands {
namespace {

constexpr int tick_ms = 500;
constexpr std::chrono::seconds status_interval{5};

// Blocked before the first thread starts, so that all threads inherit it and only the main loop sees them.
FileDescriptor take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  FileDescriptor descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) throw std::system_error(errno, std::generic_category(), "signalfd");
  return descriptor;
}

int next_signal(const FileDescriptor& signals, int timeout_ms) {
  pollfd waiting{signals.get(), POLLIN, 0};
  ::poll(&waiting, 1, timeout_ms);
  signalfd_siginfo information{};
  const ssize_t bytes = ::read(signals.get(), &information, sizeof information);
  return bytes == sizeof information ? static_cast<int>(information.ssi_signo) : 0;
}

struct Startup {
  Checked checked;
  config::Sources sources;
  bool is_last_good = false;
  std::vector<Problem> refused;  // of the file, where the last good one runs
};

// The file, or where it is bad the last good one: an agent that nobody can reach must not be stopped by a typing error.
std::optional<Startup> load(const std::filesystem::path& file) {
  const config::Environment environment = environment_of(file);
  Problems problems;
  std::optional<config::Loaded> loaded = config::load_for_start(file, environment, problems);
  if (!loaded || loaded->is_last_good) check_plugin_settings(file, problems);
  for (;;) {
    if (!loaded) break;
    Startup startup;
    startup.is_last_good = loaded->is_last_good;
    startup.sources = loaded->sources;
    const std::filesystem::path state_dir = loaded->config.agent.state_dir;
    if (auto checked = check_instances(std::move(loaded->config), problems)) {
      startup.checked = std::move(*checked);
      startup.refused = problems.all();
      return startup;
    }
    if (startup.is_last_good) break;
    loaded = config::load_last_good(state_dir, environment, problems);
  }
  print(problems.all(), "error");
  return std::nullopt;
}

void reload(Agent& agent, const std::filesystem::path& file, const Log& log) {
  Problems problems;
  std::optional<config::Loaded> loaded = config::load_configuration(file, environment_of(file), problems);
  std::optional<Checked> checked;
  if (loaded) {
    checked = check_instances(loaded->config, problems);
  } else {
    check_plugin_settings(file, problems);
  }
  if (!checked) {
    for (const Problem& problem : problems.all()) log.error("{}", to_string(problem));
    log.error("reload: {} is refused, the configuration stays as it was", file.string());
    return;
  }
  for (const Problem& warning : checked->configuration.warnings) log.warn("{}", to_string(warning));
  agent.reload(checked->configuration);
  config::keep_last_good(checked->configuration.agent.state_dir, loaded->sources);
}

void work(Agent& agent, const FileDescriptor& signals, const std::filesystem::path& file, const Log& log) {
  const ServiceManager manager;
  const SystemClock clock;
  const std::chrono::milliseconds feeding = manager.feeding_interval();
  Nanoseconds fed{0};
  Nanoseconds status_at{0};
  std::string summary;
  manager.ready();
  ::malloc_trim(0);  // what reading the configuration took
  for (;;) {
    const int signal = next_signal(signals, tick_ms);
    if (signal == SIGTERM || signal == SIGINT) {
      log.info("stopping");
      manager.stopping();
      return;
    }
    if (signal == SIGHUP) {
      manager.reloading();
      try {
        reload(agent, file, log);
      } catch (const std::exception& error) {
        log.error("reload: {}", error.what());
      }
      manager.ready();
    }
    agent.tick();
    const Nanoseconds now = clock.monotonic();
    const Nanoseconds progress = agent.last_progress();
    if (feeding.count() > 0 && now >= fed + feeding && progress > fed) {
      manager.feed_watchdog();
      fed = now;
    }
    if (now >= status_at) {
      const std::string before = std::exchange(summary, agent.summary());
      if (summary != before) manager.status(summary);
      status_at = now + status_interval;
    }
  }
}

int run(const std::filesystem::path& file) {
  const FileDescriptor signals = take_signals();
  std::optional<Startup> startup = load(file);
  if (!startup) return EX_CONFIG;
  Checked& checked = startup->checked;
  Logging logging(checked.configuration.log);
  const Log log = logging.part("agent");
  const SystemClock clock;
  for (const std::string& set : test_switches::in_force()) {
    log.error("{} is set, a switch for tests: this agent is made to fail", set);
  }
  for (const Problem& problem : startup->refused) log.error("{}", to_string(problem));
  if (startup->is_last_good || !startup->refused.empty()) {
    log.error("{} is refused: the last good configuration runs instead; mend the file and restart",
              file.string());
  }
  for (const Problem& warning : checked.configuration.warnings) log.warn("{}", to_string(warning));
  try {
    const std::filesystem::path state_dir = checked.configuration.agent.state_dir;
    const bool last_good = startup->is_last_good;
    Agent agent(std::move(checked.configuration), last_good, *checked.catalogue, logging, clock);
    agent.start(std::move(checked.instances));
    log.info("sluice {} runs with {}", SLUICE_VERSION, file.string());
    try {
      if (!last_good) config::keep_last_good(state_dir, startup->sources);
    } catch (const std::system_error& error) {
      log.warn("the configuration cannot be kept as the last good one: {}", error.what());
    }
    work(agent, signals, file, log);
    if (!agent.stop()) {
      log.error("stopped, but what was only in memory could not be written");
      return EX_IOERR;
    }
    log.info("stopped");
    return EX_OK;
  } catch (const AlreadyRunning& error) {
    log.error("{}", error.what());
    return EX_TEMPFAIL;
  } catch (const std::exception& error) {
    log.error("{}", error.what());
    return EX_SOFTWARE;
  }
}

}  // namespace

void add_run(CLI::App& program, int& exit_code) {
  auto file = std::make_shared<std::filesystem::path>();
  CLI::App* command = program.add_subcommand("run",
                                             "Runs the agent in the foreground, as systemd's Type=notify "
                                             "expects. SIGHUP reloads routes and log levels, SIGTERM "
                                             "and SIGINT stop it within 5 s. Where the file is bad, the last "
                                             "configuration that worked runs instead.");
  add_config_option(*command, *file);
  command->callback([file, &exit_code] { exit_code = run(*file); });
}

}  // namespace sluice::commands
