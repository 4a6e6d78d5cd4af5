// SPDX-License-Identifier: Apache-2.0
// `buffer drop` and `buffer retry`: what the user does with messages, or dead letters, of his choice.
#include <sysexits.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/settings.hpp"
#include "commands/buffer.hpp"
#include "commands/client.hpp"

namespace sluice::commands {
namespace {

using nlohmann::ordered_json;

// The request `command` for what the options choose; nothing: they choose none, or contradict one another, which has been
// said.
std::optional<ordered_json> selection(const BufferArguments& arguments, const char* command) {
  const bool filtered = !arguments.match.empty() || !arguments.older_than.empty();
  if (!arguments.all && !filtered && arguments.ids.empty()) {
    std::cerr << "sluice: say which: IDs as `list` shows them, --match, --older-than, or --all\n";
    return std::nullopt;
  }
  if (!arguments.ids.empty() && (arguments.all || filtered)) {
    std::cerr << "sluice: IDs are a choice of their own: leave out --all, --match and --older-than\n";
    return std::nullopt;
  }
  ordered_json request = {{"command", command}};
  if (!arguments.ids.empty()) request["ids"] = arguments.ids;
  if (!arguments.match.empty()) request["match"] = arguments.match;
  if (!arguments.older_than.empty()) {
    std::int64_t age_ns = 0;
    if (!parse_duration(arguments.older_than, age_ns) || age_ns == 0) {
      std::cerr << "sluice: --older-than: expected a duration such as 12h, got \"" << arguments.older_than
                << "\"\n";
      return std::nullopt;
    }
    request["older_than_ns"] = age_ns;
  }
  return request;
}

// Of what was asked for and is not there, or cannot be sent.
void print_left_out(const ordered_json& answer) {
  for (const auto& id : answer["unknown"]) {
    std::cerr << "sluice: " << id.get<std::string>() << ": there is none with this id\n";
  }
  for (const auto& value : answer.value("unreadable", ordered_json::array())) {
    const auto id = value.get<std::string>();
    std::cerr
        << "sluice: " << id
        << ": its bytes cannot be read, so it cannot be sent, and stays: `sluice buffer export --dead` shows "
           "them, `sluice buffer drop --dead "
        << id << "` removes it\n";
  }
}

bool nothing_left_out(const ordered_json& answer) {
  return answer["unknown"].empty() && answer.value("unreadable", ordered_json::array()).empty();
}

}  // namespace

int drop(const BufferArguments& arguments, QueueAccess& queue) {
  const auto request = selection(arguments, arguments.dead ? "buffer.drop_dead" : "buffer.drop");
  if (!request) return EX_USAGE;
  const ordered_json answer = queue.ask(*request);
  if (arguments.json) {
    print_json(answer);
  } else {
    std::cout << answer["dropped"] << (arguments.dead ? " dead letters dropped\n" : " messages dropped\n");
    print_left_out(answer);
  }
  return nothing_left_out(answer) ? EX_OK : EX_DATAERR;
}

int retry(const BufferArguments& arguments, QueueAccess& queue) {
  const auto request = selection(arguments, "buffer.retry");
  if (!request) return EX_USAGE;
  const ordered_json answer = queue.ask(*request);
  const bool full = answer["full"].get<bool>();
  if (arguments.json) {
    print_json(answer);
  } else {
    std::cout << answer["retried"] << " dead letters put back into the queue\n";
    print_left_out(answer);
    if (full) {
      std::cerr << "sluice: the queue has no room for more (max_bytes, or reserve_free on the disk): the "
                   "others stay "
                   "dead letters; try again when it has drained\n";
    }
  }
  if (full) return EX_SOFTWARE;
  return nothing_left_out(answer) ? EX_OK : EX_DATAERR;
}

}  // namespace sluice::commands
