// SPDX-License-Identifier: Apache-2.0
#include "commands/queue_access.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "buffer_requests.hpp"
#include "commands/client.hpp"
#include "control.hpp"
#include "queue/queue.hpp"
#include "queue/state_lock.hpp"
#include "queue/storage.hpp"

namespace sluice::commands {
namespace {

// Root becomes the owner of the directory, so that it leaves no file there that the agent cannot open.
void become_owner(const std::filesystem::path& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    throw std::system_error(errno, std::generic_category(), directory.string());
  }
  if (::geteuid() != 0 || status.st_uid == 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setgid(status.st_gid) != 0 || ::setuid(status.st_uid) != 0) {
    throw std::system_error(errno, std::generic_category(), "becoming the owner of " + directory.string());
  }
}

LogOptions warnings_only() {
  LogOptions options;
  options.level = Level::warn;
  options.target = LogOptions::Target::standard_error;
  return options;
}

// The one that is wanted; without it, or where it is not there, all of them: the session's first, then whatever else
// lies there, also of outputs that are not durable any more.
std::vector<queue::Options> queue_options(const Whereabouts& agent, const std::string& wanted,
                                          Access access) {
  std::vector<queue::Options> all(1);
  std::vector<queue::Options> configured;
  if (agent.configuration) {
    all.front() = agent.configuration->buffer;
    for (const config::InstanceConfig& instance : agent.configuration->instances) {
      if (instance.buffer) configured.push_back(*instance.buffer);
    }
  }
  const std::filesystem::path folder = agent.state_dir / "queue";
  std::set<std::string> names;
  if (access == Access::create) {
    for (const queue::Options& options : configured) names.insert(options.name);
  }
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.is_directory()) names.insert(entry.path().filename());
    }
  }
  names.erase(all.front().name);
  for (const std::string& name : names) {
    const auto known = std::find_if(configured.begin(), configured.end(),
                                    [&](const queue::Options& options) { return options.name == name; });
    all.push_back(known == configured.end() ? queue::Options{} : *known);
    all.back().name = name;
  }
  for (queue::Options& options : all) options.directory = folder / options.name;
  // One that cannot be opened is no reason not to look into another.
  const auto is_another = [&](const queue::Options& options) { return options.name != wanted; };
  if (!std::all_of(all.begin(), all.end(), is_another)) {
    std::erase_if(all, is_another);
  } else if (access != Access::inspect) {
    throw std::runtime_error("there is no queue \"" + wanted + "\", in the configuration nor in " +
                             folder.string());
  }
  return all;
}

}  // namespace

struct QueueAccess::Files {
  SystemClock clock;
  Logging logging{warnings_only()};
  std::optional<queue::StateLock> lock;
  std::optional<queue::Storage> storage;
  std::vector<std::unique_ptr<queue::Queue>> opened;
  Queues queues;
};

QueueAccess::QueueAccess(Whereabouts agent, std::string queue, Access access)
    : agent_(std::move(agent)), queue_(std::move(queue)), access_(access) {}
QueueAccess::~QueueAccess() = default;

nlohmann::ordered_json QueueAccess::ask(nlohmann::ordered_json request) {
  if (!queue_.empty()) request["queue"] = queue_;
  if (!files_) {
    try {
      return commands::ask(agent_, request);
    } catch (const NoAgent&) {
      open_files();
    }
  }
  return answer_buffer_request(files_->queues, request, files_->clock);
}

void QueueAccess::open_files() {
  const std::filesystem::path directory = agent_.state_dir / "queue" / "mqtt";
  if (access_ != Access::inspect && !agent_.configuration) {
    throw NoConfiguration(
        "the configuration has errors, so that the limits of the queue are not known: correct it");
  }
  if (access_ == Access::create) {
    // Of one that root has made, systemd makes the agent's user the owner at its start (StateDirectory).
    std::filesystem::create_directories(agent_.state_dir);
  } else if (!std::filesystem::exists(directory)) {
    throw std::runtime_error("no queue in " + agent_.state_dir.string() +
                             ": has the agent ever run with this configuration?");
  }
  become_owner(agent_.state_dir);
  auto files = std::make_unique<Files>();
  files->lock = queue::StateLock::try_lock(agent_.state_dir);
  if (!files->lock) {
    throw std::runtime_error("an agent works in " + agent_.state_dir.string() + " but does not answer at " +
                             agent_.sockets.front().string());
  }
  files->storage.emplace(files->clock);
  // What puts messages in begins a start of the queue that it is about, and of no other.
  const bool inspects = access_ == Access::inspect;
  const std::string wanted = queue_.empty() && !inspects ? "mqtt" : queue_;
  for (const queue::Options& options : queue_options(agent_, wanted, access_)) {
    files->opened.push_back(std::make_unique<queue::Queue>(*files->storage, options,
                                                           files->logging.part("queue"),
                                                           inspects ? queue::Use::inspect : queue::Use::run));
    files->queues.emplace_back(options.name, files->opened.back().get());
  }
  files_ = std::move(files);
}

}  // namespace sluice::commands
