// SPDX-License-Identifier: Apache-2.0
// The subcommands of `sluice buffer` that have files of their own, and their arguments. Each answers its exit code. Main thread only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "commands/queue_access.hpp"

namespace sluice::commands {

struct BufferArguments {
  std::filesystem::path file;
  std::string queue;  ///< empty: what the command means without it
  bool json = false;
  std::uint64_t limit = 20;
  bool dead = false;
  bool all = false;
  bool acknowledge = false;
  std::string match;
  std::string older_than;
  std::vector<std::string> ids;
  std::string lines;       ///< the file to import, or "-"
  std::uint64_t skip = 0;  ///< of its lines
};

int drop(const BufferArguments& arguments, QueueAccess& queue);
int retry(const BufferArguments& arguments, QueueAccess& queue);
int import_lines(const BufferArguments& arguments, QueueAccess& queue);

}  // namespace sluice::commands
