// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace sluice::gpio {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t loss_report_pause_ns = 10'000'000'000;
constexpr std::int64_t look_pause_ns = 1'000'000'000;

std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Watch::Watch(Host host, const Options& options, Kernel& kernel)
    : host_(host),
      options_(options),
      kernel_(kernel),
      edges_(host.counter("edges")),
      lost_edges_(host.counter("lost_edges")),
      merged_edges_(host.counter("merged_edges")),
      bounces_(host.counter("bounces")),
      sets_(host.counter("sets")),
      refused_(host.counter("sets_refused")) {}

void Watch::run() {
  request();
  try {
    loop();
  } catch (const std::exception& gone) {
    publish_gone(gone.what());
    throw;
  }
}

void Watch::request() {
  const Chip chip(kernel_, options_.chip);
  chip_name_ = chip.name();
  std::vector<Wanted> wanted;
  for (const LineOptions& line : options_.lines) wanted.push_back(Wanted{&line, chip.offset_of(line)});
  const std::string consumer = "sluice:" + std::string(host_.name());
  poll_ = File(::epoll_create1(EPOLL_CLOEXEC));
  if (poll_.get() < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  for (const std::vector<std::size_t>& members : make_groups(wanted)) {
    std::vector<Wanted> group;
    for (const std::size_t member : members) group.push_back(wanted[member]);
    groups_.push_back(chip.request(group, consumer, options_.event_buffer));
    const std::size_t index = groups_.size() - 1;
    ::epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, groups_.back().fd(), &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
    const std::uint64_t values = groups_.back().values(~std::uint64_t{0} >> (64 - group.size()));
    for (std::size_t i = 0; i < group.size(); ++i) {
      const std::uint64_t bit = std::uint64_t{1} << i;
      lines_.push_back(Line{group[i].line, index, bit, group[i].offset, 0, 0, {}, {}});
      if (!group[i].software_debounce || group[i].line->edges == Edges::none) continue;
      host_.warn("line " + group[i].line->name + ": " + chip_name_ +
                 " cannot debounce it; that is done by the agent instead");
      lines_.back().debounce.emplace(group[i].line->debounce, (values & bit) != 0);
    }
  }
}

void Watch::loop() {
  publish_states();
  next_look_ns_ = monotonic_ns() + look_pause_ns;
  std::int64_t next_state_ns = options_.every.count() > 0 ? monotonic_ns() + options_.every.count() : never;
  while (!stopped_ && wait_and_work(next_state_ns)) {
  }
  leave_outputs();
}

// False: the instance is to end.
bool Watch::wait_and_work(std::int64_t& next_state_ns) {
  const std::chrono::nanoseconds left(
      std::max<std::int64_t>(0, next_deadline_ns(next_state_ns) - monotonic_ns()));
  const Wake wake = host_.wait(left, poll_.get());
  if (wake.stopping) return false;
  if ((wake.events & POLLIN) != 0) {
    std::array<::epoll_event, 8> ready{};
    const int count = ::epoll_wait(poll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
    for (int i = 0; i < count; ++i) read_edges(ready[static_cast<std::size_t>(i)].data.u64);
  }
  if (wake.messages) obey();
  const std::int64_t now_ns = monotonic_ns();
  look_at_debounced(now_ns);
  look_at_chip(now_ns);
  if (now_ns >= next_state_ns) {
    publish_states();
    next_state_ns +=
        (now_ns - next_state_ns) / options_.every.count() * options_.every.count() + options_.every.count();
  }
  return true;
}

std::int64_t Watch::next_deadline_ns(std::int64_t next_state_ns) const {
  std::int64_t next = std::min(next_state_ns, next_look_ns_);
  for (const Line& line : lines_) {
    if (line.debounce) next = std::min(next, line.debounce->deadline_ns().value_or(never));
  }
  return next;
}

void Watch::read_edges(std::size_t group) {
  for (const ::gpio_v2_line_event& event : groups_[group].edges()) {
    const auto found = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) {
      return line.group == group && line.offset == event.offset;
    });
    if (found != lines_.end()) take_edge(*found, event);
  }
}

void Watch::take_edge(Line& line, const ::gpio_v2_line_event& event) {
  ++edges_;
  // The kernel numbers the edges of a line from 1, and drops the oldest where its buffer is full. Numbers wrap round.
  const std::uint32_t lost = event.line_seqno - line.seen - 1;
  line.seen = event.line_seqno;
  const auto time_ns = static_cast<std::int64_t>(event.timestamp_ns);
  if (lost > 0) report_lost(line, lost, time_ns);
  const bool rising = event.id == GPIO_V2_LINE_EVENT_RISING_EDGE;
  line.lost += lost + merged_before(line, rising, lost);
  if (line.debounce) {
    ++bounces_;
    line.debounce->edge(time_ns);
    return;
  }
  publish_edge(line, rising, time_ns, event.line_seqno);
}

// Edges that come while the kernel still deals with the one before are one to it, and have one number. But rising and falling
// take turns: where they do not, one is missing at least.
std::uint64_t Watch::merged_before(Line& line, bool rising, std::uint32_t lost) {
  const std::optional<bool> last = std::exchange(line.rising, rising);
  if (line.options->edges != Edges::both || !last) return 0;
  const bool expected = (lost % 2 == 0) != *last;
  if (rising == expected) return 0;
  ++merged_edges_;
  return 1;
}

// Before Linux 6.6 nobody who waits for edges is woken when the chip goes away.
void Watch::look_at_chip(std::int64_t now_ns) {
  if (now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + look_pause_ns;
  static_cast<void>(groups_.front().values(1));
}

void Watch::look_at_debounced(std::int64_t now_ns) {
  for (Line& line : lines_) {
    if (!line.debounce || line.debounce->deadline_ns().value_or(never) > now_ns) continue;
    const bool value = value_of(line);
    const std::optional<std::int64_t> time_ns = line.debounce->steady(value);
    const Edges edges = line.options->edges;
    const bool wanted = edges == Edges::both || edges == (value ? Edges::rising : Edges::falling);
    if (time_ns && wanted) publish_edge(line, value, *time_ns, line.seen);
  }
}

void Watch::publish_edge(Line& line, bool value, std::int64_t time_ns, std::uint32_t sequence) {
  Message message;
  message.placeholder("line", line.options->name)
      .sample("value", value ? 1 : 0)
      .sample("edge", value ? "rising" : "falling")
      .sample("seq", sequence)
      .at_monotonic(time_ns);
  if (line.lost > 0) message.sample("lost", std::exchange(line.lost, 0));
  emit(message);
}

void Watch::publish_states() {
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    std::uint64_t mask = 0;
    for (const Line& line : lines_) mask |= line.group == group ? line.bit : 0;
    const std::uint64_t values = groups_[group].values(mask);
    const std::int64_t now_ns = monotonic_ns();
    for (const Line& line : lines_) {
      if (line.group == group) publish_state(line, (values & line.bit) != 0, now_ns);
    }
  }
}

void Watch::publish_state(const Line& line, bool value, std::int64_t time_ns) {
  emit(
      Message().placeholder("line", line.options->name).sample("value", value ? 1 : 0).at_monotonic(time_ns));
}

void Watch::publish_gone(const std::string& why) {
  for (const Line& line : lines_) {
    if (stopped_) return;
    emit(Message().placeholder("line", line.options->name).bad("value", why));
  }
}

// A burst that is lost is one line in the log, and not thousands.
void Watch::report_lost(const Line& line, std::uint32_t count, std::int64_t now_ns) {
  lost_edges_.add(count);
  unreported_losses_ += count;
  if (last_loss_report_ns_ != 0 && now_ns - last_loss_report_ns_ < loss_report_pause_ns) return;
  last_loss_report_ns_ = now_ns;
  host_.warn("line " + line.options->name + ": the kernel dropped edges that were not read in time (" +
             std::to_string(std::exchange(unreported_losses_, 0)) +
             " on all lines since the last such message); a larger event_buffer or debounce helps");
}

bool Watch::value_of(const Line& line) const {
  return (groups_[line.group].values(line.bit) & line.bit) != 0;
}

void Watch::obey() {
  for (const ReceivedMessage& message : host_.receive(std::chrono::nanoseconds(0))) {
    try {
      const Message result = obey(message);
      host_.complete(message.token(), result);
    } catch (const std::invalid_argument& why) {
      ++refused_;
      host_.refuse(message.token(), why.what());
    }
  }
}

Message Watch::obey(const ReceivedMessage& message) {
  std::vector<std::pair<Line*, Action>> orders;  // all are checked before the first is carried out
  for (const Command& command : commands_of(message)) {
    orders.emplace_back(&target(command, message.topic()), command.action);
    for (std::size_t i = 0; i + 1 < orders.size(); ++i) {
      if (orders[i].first == orders.back().first) throw std::invalid_argument("a line is there twice");
    }
  }
  Message result;
  for (const auto& [line, action] : orders) {
    const bool value = action == Action::toggle ? !value_of(*line) : action == Action::set;
    groups_[line->group].set(line->bit, value ? line->bit : 0);
    ++sets_;
    const bool now = value_of(*line);
    publish_state(*line, now, monotonic_ns());
    result.sample(orders.size() == 1 ? "value" : line->options->name, now ? 1 : 0);
  }
  return result;
}

// By the payload, by the last level of the topic, or because there is only one output.
Watch::Line& Watch::target(const Command& command, std::string_view topic) {
  const std::string_view name = command.line.empty() ? last_level(topic) : std::string_view(command.line);
  Line* only_output = nullptr;
  std::size_t outputs = 0;
  for (Line& line : lines_) {
    if (line.options->name == name) {
      if (line.options->output) return line;
      throw std::invalid_argument("line \"" + line.options->name + "\" is an input");
    }
    if (line.options->output) {
      only_output = &line;
      ++outputs;
    }
  }
  if (command.line.empty() && outputs == 1) return *only_output;
  throw std::invalid_argument("there is no line \"" + std::string(name) + "\"");
}

void Watch::leave_outputs() {
  for (const Line& line : lines_) {
    if (line.options->at_exit) groups_[line.group].set(line.bit, *line.options->at_exit ? line.bit : 0);
  }
}

void Watch::emit(const Message& message) {
  if (!host_.emit_waiting(message)) stopped_ = true;
}

}  // namespace sluice::gpio
