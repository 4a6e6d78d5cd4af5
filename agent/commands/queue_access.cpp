// SPDX-License-Identifier: Apache-2.0
#include "commands/queue_access.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

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

}  // namespace

struct QueueAccess::Files {
  SystemClock clock;
  Logging logging{warnings_only()};
  std::optional<queue::StateLock> lock;
  std::optional<queue::Storage> storage;
  std::optional<queue::Queue> queue;
};

QueueAccess::QueueAccess(Whereabouts agent, Access access) : agent_(std::move(agent)), access_(access) {}
QueueAccess::~QueueAccess() = default;

nlohmann::ordered_json QueueAccess::ask(const nlohmann::ordered_json& request) {
  if (!files_) {
    try {
      return commands::ask(agent_, request);
    } catch (const NoAgent&) {
      open_files();
    }
  }
  return answer_buffer_request(*files_->queue, request, files_->clock);
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
  queue::Options options = agent_.configuration ? agent_.configuration->buffer : queue::Options{};
  options.directory = directory;
  files->storage.emplace(files->clock);
  files->queue.emplace(*files->storage, options, files->logging.part("queue"),
                       access_ == Access::inspect ? queue::Use::inspect : queue::Use::run);
  files_ = std::move(files);
}

}  // namespace sluice::commands
