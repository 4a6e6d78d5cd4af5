// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/buffer.hpp"
#include "commands/buffer_text.hpp"
#include "commands/client.hpp"
#include "commands/commands.hpp"

namespace sluice::commands {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t page = 500;

int with_queue(const BufferArguments& arguments, Access access,
               const std::function<int(QueueAccess&)>& work) {
  try {
    QueueAccess queue(find_agent(arguments.file), arguments.queue, access);
    return work(queue);
  } catch (const NoConfiguration& error) {
    std::cerr << "sluice: " << error.what() << '\n';
    return EX_CONFIG;
  } catch (const std::exception& error) {
    std::cerr << "sluice: " << error.what() << '\n';
    return EX_SOFTWARE;
  }
}

int stat(const BufferArguments& arguments, QueueAccess& queue) {
  const ordered_json statistics = queue.ask({{"command", "buffer.stat"}});
  if (arguments.json) {
    print_json(statistics);
  } else {
    print_statistics(statistics);
  }
  return EX_OK;
}

// Hands over up to `limit` messages, oldest first; `packed`: each with the stored message itself.
void read(QueueAccess& queue, bool dead, bool packed, std::uint64_t limit,
          const std::function<void(const ordered_json&)>& show) {
  std::uint64_t shown = 0;
  std::uint64_t after = 0;
  while (shown < limit) {
    const std::uint64_t max = std::min(page, limit - shown);
    const char* command = dead ? "buffer.dead" : "buffer.read";
    const ordered_json answer =
        queue.ask({{"command", command}, {"after", after}, {"max", max}, {"packed", packed}});
    for (const auto& message : answer["messages"]) show(message);
    shown += answer["messages"].size();
    if (answer["messages"].empty()) return;
    after = answer["last"].get<std::uint64_t>();
  }
}

std::string line(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

int list(const BufferArguments& arguments, QueueAccess& queue) {
  ordered_json all = ordered_json::array();
  read(queue, arguments.dead, false, arguments.limit, [&](const ordered_json& message) {
    if (arguments.json) {
      all.push_back(message);
      return;
    }
    std::cout << message.value("id", "") << "  " << message.value("ts", "-") << "  "
              << message.value("topic", "") << "  "
              << (message.contains("payload") ? line(message["payload"]) : "")
              << (message.contains("reason") ? "  " : "") << message.value("reason", "") << '\n';
  });
  if (arguments.json) print_json({{"messages", all}});
  return EX_OK;
}

int export_lines(const BufferArguments& arguments, QueueAccess& queue) {
  read(queue, arguments.dead, true, UINT64_MAX,
       [](const ordered_json& message) { std::cout << line(message) << '\n'; });
  std::cout.flush();
  return std::cout ? EX_OK : EX_IOERR;
}

int verify(const BufferArguments& arguments, QueueAccess& queue) {
  ordered_json answer = queue.ask({{"command", "buffer.verify"}});
  if (arguments.acknowledge) answer.update(queue.ask({{"command", "buffer.acknowledge"}}));
  if (arguments.json) {
    print_json(answer);
  } else {
    for (const auto& [name, verified] : answer["queues"].items()) {
      std::cout << name << ": ";
      print_ledger(verified["ledger"]);
      std::cout << name << ": ";
      print_letters(verified["letters"]);
    }
    for (const auto& segment : answer["segments"]) {
      std::cout << segment["file"].get<std::string>() << ": " << segment["quick_check"].get<std::string>()
                << ", " << segment["rows"] << " rows, " << segment["gone"] << " of them gone\n";
    }
    for (const auto& difference : answer["differences"])
      std::cout << "WRONG: " << difference.get<std::string>() << '\n';
    if (answer["differences"].empty()) std::cout << "everything agrees\n";
    if (arguments.acknowledge) std::cout << answer["acknowledged"] << " damaged files noted\n";
  }
  return answer["differences"].empty() ? EX_OK : EX_DATAERR;
}

}  // namespace

void add_buffer(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<BufferArguments>();
  CLI::App* buffer = program.add_subcommand(
      "buffer",
      "Looks into the queues of messages that wait: for the "
      "broker, and for outputs with durable = true. Works with the agent running, which is asked then, or "
      "stopped.");
  buffer->require_subcommand(1);
  using Work = int (*)(const BufferArguments&, QueueAccess&);
  const auto add = [&](const char* name, const char* help, Work work, Access access = Access::inspect) {
    CLI::App* command = buffer->add_subcommand(name, help);
    add_config_option(*command, arguments->file);
    command->callback([arguments, work, access, &exit_code] {
      exit_code = with_queue(*arguments, access, [&](QueueAccess& queue) { return work(*arguments, queue); });
    });
    return command;
  };
  const auto add_queue = [&](CLI::App* command, const char* help) {
    command->add_option("--queue", arguments->queue, help)->type_name("NAME");
    return command;
  };
  constexpr const char* one_queue =
      "The queue of this output, one with durable = true; mqtt, the default, is the session's";
  constexpr const char* all_queues = "Of this queue only: mqtt, or an output's";
  const auto add_json = [&](CLI::App* command) {
    command->add_flag("--json", arguments->json, "One JSON document with stable keys");
  };
  const auto add_dead = [&](CLI::App* command) {
    command->add_flag("--dead", arguments->dead,
                      "The dead letters: what the broker, or the plugin, refuses for good, with the reason");
  };

  add_json(
      add_queue(add("stat", "How much waits: messages, bytes, age, what was dropped, and the ledger.", stat),
                all_queues));

  CLI::App* list_command = add_queue(add("list", "The oldest messages that wait.", list), one_queue);
  list_command->add_option("--limit,-n", arguments->limit, "At most so many")->capture_default_str();
  add_dead(list_command);
  add_json(list_command);

  CLI::App* export_command = add_queue(
      add("export",
          "All messages that wait, oldest first, as lines of JSON: for people, and under \"packed\" for "
          "`import`. "
          "What is on disk: stop the agent before a queue is moved, so that everything is. Nothing leaves "
          "the "
          "queue: when the import is done, `drop --all` here.",
          export_lines),
      one_queue);
  add_dead(export_command);

  CLI::App* import_command = add_queue(
      add("import",
          "Appends exported messages to the queue. The whole file is checked first: with a bad line nothing "
          "is "
          "imported, and the exit code is 65. Then each line is a new message with a new id and the topic, "
          "payload, time of "
          "measurement, QoS, retain, expiry, format and priority that it had; max_age counts from the "
          "import. "
          "They "
          "are committed when the command says so. Nothing is dropped for them: where the queue is full, the "
          "running "
          "agent is waited for; with a stopped one the import ends. Lines of `export --dead` are tried "
          "again. An "
          "import "
          "that was cut can be repeated: what was committed before is sent twice then, under another id.",
          import_lines, Access::create),
      one_queue);
  import_command
      ->add_option("FILE", arguments->lines, "Lines of `sluice buffer export`; - for standard input")
      ->required();
  import_command
      ->add_option("--skip", arguments->skip, "Lines to leave out, since they were committed already")
      ->type_name("N");
  add_json(import_command);

  const auto add_selection = [&](CLI::App* command) {
    command->add_option("ID", arguments->ids, "Those with these ids, as `list` shows them");
    command->add_option("--match", arguments->match, "Those whose topic matches this filter")
        ->type_name("FILTER");
    command
        ->add_option("--older-than", arguments->older_than,
                     "Those measured longer ago than this, such as 12h")
        ->type_name("DURATION");
    command->add_flag("--all", arguments->all, "All");
    add_json(command);
  };
  CLI::App* drop_command = add_queue(
      add("drop", "Drops messages that wait, counted as dropped by the user. Exit code 65 for an unknown ID.",
          drop),
      one_queue);
  add_dead(drop_command);
  add_selection(drop_command);

  CLI::App* retry_command = add_queue(add("retry",
                                          "Puts dead letters back into the queue, as new messages with new "
                                          "ids. A letter goes when its message "
                                          "is "
                                          "committed: a crash costs a duplicate, never a loss. An expiry "
                                          "counts from the measurement still. Exit "
                                          "code 65 for an unknown ID, and for a letter "
                                          "whose bytes cannot be read: it stays.",
                                          retry, Access::append),
                                      one_queue);
  add_selection(retry_command);

  CLI::App* verify_command = add("verify",
                                 "Checks every file, counts every message again and compares: committed = "
                                 "stored + each way out. A file that turns "
                                 "out to be damaged is put aside in the folder `quarantine` of the queue, "
                                 "and what can be read of it is kept. Exit "
                                 "code 65 for a difference.",
                                 verify);
  add_queue(verify_command, all_queues);
  verify_command->add_flag(
      "--acknowledge", arguments->acknowledge,
      "Take note of the damaged files that were put aside: `status` and `stat` speak of them no "
      "more. The files stay until you remove them");
  add_json(verify_command);
}

}  // namespace sluice::commands
