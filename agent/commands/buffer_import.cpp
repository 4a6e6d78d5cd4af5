// SPDX-License-Identifier: Apache-2.0
// `buffer import`: the whole file is checked, then its messages are appended in pages, each committed before the next.
#include <sysexits.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "commands/buffer.hpp"
#include "commands/client.hpp"
#include "commands/line_file.hpp"
#include "exported_line.hpp"

namespace sluice::commands {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t page_messages = 1000;
constexpr std::size_t page_bytes = std::size_t{1} << 20U;
constexpr std::size_t most_problems = 20;
constexpr std::chrono::milliseconds ask_again_after{200};
constexpr std::chrono::seconds report_every{5};

struct Problem {
  std::uint64_t line = 0;
  std::string text;
};

struct Import {
  std::uint64_t lines = 0;  ///< in the file
  std::uint64_t skipped = 0;
  std::uint64_t imported = 0;     ///< committed
  std::uint64_t bad = 0;          ///< lines
  std::vector<Problem> problems;  ///< the first of them
  std::string failure;            ///< why it ended before the end

  std::uint64_t next() const { return skipped + imported; }
};

void check(LineFile& file, Import& import) {
  for (std::string line; file.next(line);) {
    import.lines = file.number();
    if (file.number() <= import.skipped) continue;
    try {
      read_exported_line(line);
    } catch (const BadLine& error) {
      if (++import.bad <= most_problems) import.problems.push_back({file.number(), error.what()});
    }
  }
}

// The next lines, as many as make a page.
std::vector<std::string> next_page(LineFile& file) {
  std::vector<std::string> page;
  std::size_t bytes = 0;
  for (std::string line; page.size() < page_messages && bytes < page_bytes && file.next(line);) {
    try {
      page.push_back(read_exported_line(line));
    } catch (const BadLine& error) {
      throw std::runtime_error(file.place() + ": the file has changed meanwhile: " + error.what());
    }
    bytes += page.back().size();
  }
  return page;
}

class Reporter {
 public:
  explicit Reporter(bool quiet) : quiet_(quiet) {}
  void waiting(const Import& import) {
    if (!std::exchange(said_, true) && !quiet_) {
      std::cerr << "sluice: the queue is full, waiting for room; " << import.imported
                << " lines are committed until now (to break off and go on later: --skip " << import.next()
                << ")\n";
    }
  }
  void progress(const Import& import) {
    said_ = false;
    const auto now = std::chrono::steady_clock::now();
    if (quiet_ || now - last_ < report_every) return;
    last_ = now;
    std::cerr << "sluice: " << import.next() << " of " << import.lines << " lines\n";
  }

 private:
  const bool quiet_;
  bool said_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// The running agent makes room by and by; nobody does in the files of a stopped one.
void append(LineFile& file, Import& import, QueueAccess& queue, Reporter& reporter) {
  file.rewind();
  for (std::string line; file.number() < import.skipped && file.next(line);) {
  }
  for (std::vector<std::string> page = next_page(file); !page.empty(); page = next_page(file)) {
    while (!page.empty()) {
      const ordered_json answer = queue.ask({{"command", "buffer.import"}, {"messages", page}});
      const auto imported = answer["imported"].get<std::size_t>();
      import.imported += imported;
      page.erase(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(imported));
      if (page.empty()) break;
      if (imported > 0) continue;
      if (queue.works_on_files()) {
        throw std::runtime_error(
            "the queue has no room for more (max_bytes, or reserve_free on the disk): start the agent, so "
            "that "
            "it drains");
      }
      reporter.waiting(import);
      std::this_thread::sleep_for(ask_again_after);
    }
    reporter.progress(import);
  }
}

void print_problems(const LineFile& file, const Import& import) {
  for (const Problem& problem : import.problems)
    std::cerr << file.name() << ':' << problem.line << ": " << problem.text << '\n';
  if (import.bad > import.problems.size())
    std::cerr << "and " << import.bad - import.problems.size() << " more bad lines\n";
  std::cerr << "sluice: nothing is imported: " << import.bad << " of " << import.lines << " lines are bad\n";
}

void print(const LineFile& file, const Import& import) {
  if (import.bad > 0) {
    print_problems(file, import);
  } else if (!import.failure.empty()) {
    std::cerr << "sluice: " << import.failure << '\n'
              << "sluice: " << import.imported << " lines are committed for certain; to go on: --skip "
              << import.next() << '\n';
  } else {
    std::cout << import.imported << " messages imported";
    if (import.skipped > 0) std::cout << ", " << import.skipped << " lines skipped";
    std::cout << '\n';
  }
}

ordered_json document(const Import& import) {
  ordered_json document = {
      {"lines", import.lines}, {"skipped", import.skipped},         {"imported", import.imported},
      {"bad", import.bad},     {"problems", ordered_json::array()}, {"failure", import.failure}};
  for (const Problem& problem : import.problems)
    document["problems"].push_back({{"line", problem.line}, {"problem", problem.text}});
  return document;
}

}  // namespace

int import_lines(const BufferArguments& arguments, QueueAccess& queue) {
  LineFile file(arguments.lines);
  Import import;
  import.skipped = arguments.skip;
  check(file, import);
  if (import.skipped > import.lines) {
    std::cerr << "sluice: --skip: expected at most " << import.lines << ", the lines of " << file.name()
              << ", got " << import.skipped << '\n';
    return EX_USAGE;
  }
  if (import.bad == 0) {
    try {
      Reporter reporter(arguments.json);
      append(file, import, queue, reporter);
    } catch (const NoConfiguration&) {
      throw;
    } catch (const std::exception& error) {
      import.failure = error.what();
    }
  }
  if (arguments.json) {
    print_json(document(import));
  } else {
    print(file, import);
  }
  if (import.bad > 0) return EX_DATAERR;
  return import.failure.empty() ? EX_OK : EX_SOFTWARE;
}

}  // namespace sluice::commands
