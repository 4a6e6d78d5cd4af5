// SPDX-License-Identifier: Apache-2.0
#include "agent.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/difference.hpp"
#include "encode/encoder.hpp"
#include "route/topic.hpp"
#include "status_document.hpp"
#include "version.hpp"

namespace sluice {
namespace {

using nlohmann::ordered_json;

constexpr std::chrono::milliseconds session_stop_limit{1500};

// There while the agent runs with QoS 2 routes, and after it was killed.
std::filesystem::path qos2_marker(const std::filesystem::path& state_dir) {
  return state_dir / "qos2-unanswered";
}

bool uses_qos2(const std::vector<route::Rule>& rules) {
  return std::any_of(rules.begin(), rules.end(),
                     [](const route::Rule& rule) { return rule.options.qos == 2; });
}

void mark_qos2(const std::filesystem::path& state_dir) {
  const FileDescriptor file(::open(qos2_marker(state_dir).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  if (file) ::fsync(file.get());
}

queue::StateLock take_lock(const std::filesystem::path& state_dir) {
  std::filesystem::create_directories(state_dir);
  auto lock = queue::StateLock::try_lock(state_dir);
  if (!lock) throw AlreadyRunning("another agent works in " + state_dir.string());
  return std::move(*lock);
}

queue::Options queue_options(const config::Config& configuration) {
  queue::Options options = configuration.buffer;
  options.name = "mqtt";
  options.directory = configuration.agent.state_dir / "queue" / "mqtt";
  return options;
}

mqtt::Options session_options(const config::Config& configuration) {
  mqtt::Options options = configuration.mqtt;
  options.unclean_start = std::filesystem::exists(qos2_marker(configuration.agent.state_dir));
  return options;
}

ForwarderOptions forwarder_options(const config::Config& configuration) {
  ForwarderOptions options;
  switch (configuration.id) {
    case config::IdTravel::property:
      options.publication.id = PublicationOptions::Id::property;
      break;
    case config::IdTravel::payload:
      options.publication.id = PublicationOptions::Id::payload;
      break;
    case config::IdTravel::none:
      options.publication.id = PublicationOptions::Id::none;
      break;
  }
  options.publication.properties = configuration.mqtt.version == mqtt::Version::v5;
  options.replay_rate = configuration.buffer.replay_rate;
  options.live_first = configuration.buffer.order == queue::Order::live_first;
  return options;
}

std::string link_in_words(const mqtt::SessionStatus& session) {
  switch (session.state) {
    case mqtt::LinkState::up:
      return "connected to " + session.broker;
    case mqtt::LinkState::connecting:
      return "connecting to " + session.broker;
    default:
      return "not connected: " + (session.reason.empty() ? session.broker : session.reason);
  }
}

// Of the outputs, those for which something waits.
std::string waiting_for(const Queues& outputs) {
  std::string text;
  for (const auto& [name, queue] : outputs) {
    const queue::Stats stats = queue->stats();
    const std::uint64_t waiting = stats.messages + stats.in_memory;
    if (waiting > 0 || stats.degraded)
      text += "; output " + name + ": " + std::to_string(waiting) + " waiting";
    if (stats.degraded) text += ", storage degraded: " + stats.problem;
  }
  return text;
}

}  // namespace

Agent::Agent(config::Config configuration, bool last_good, plugin::Catalogue& catalogue, Logging& logging,
             const Clock& clock)
    : configuration_(std::move(configuration)),
      last_good_(last_good),
      catalogue_(catalogue),
      logging_(logging),
      clock_(clock),
      log_(logging.part("agent")),
      started_(clock.wall()),
      suppressed_lines_(metrics_.counter("log", "suppressed")),
      lock_(take_lock(configuration_.agent.state_dir)),
      storage_(clock) {
  queue_ = std::make_unique<queue::Queue>(storage_, queue_options(configuration_), logging.part("queue"));
  router_ = std::make_unique<Router>(
      *queue_,
      [this](const Delivery& delivery, const plugin::Completion& completion) {
        downlink_->completed(delivery, completion);
      },
      metrics_, logging.part("router"));
  downlink_ = std::make_unique<Downlink>(
      [this](Message&& command) { return router_->route_from_broker(std::move(command)); },
      [this](Delivery&& answer) { forwarder_->reply(std::move(answer)); }, clock, metrics_,
      logging.part("downlink"));
  forwarder_ = std::make_unique<Forwarder>(
      forwarder_options(configuration_), session_options(configuration_), *queue_,
      [this](Message&& message, const mqtt::Inbound& inbound) {
        downlink_->received(std::move(message), inbound.retained);
      },
      clock, metrics_, logging.part("mqtt"));
  outputs_ = std::make_unique<DurableOutputs>(configuration_, storage_, *router_, clock, metrics_, logging);
  for (const auto& [name, queue] : outputs_->queues()) router_->add_durable(name, *queue);
  if (uses_qos2(configuration_.routes)) mark_qos2(configuration_.agent.state_dir);
}

Agent::~Agent() {
  stop();
}

void Agent::start(std::vector<PreparedInstance> instances) {
  {
    const std::lock_guard lock(slots_mutex_);
    for (PreparedInstance& prepared : instances) {
      Slot& slot = slots_.emplace_back();
      slot.prepared = std::move(prepared);
      if (slot.prepared.library != nullptr) {
        start_instance(slot);
      } else {
        log_about(slot).error("instance \"{}\" is disabled until its plugin loads: {}",
                              slot.prepared.config.name, slot.prepared.load_error);
      }
    }
  }
  set_routes(configuration_.routes);
  for (const Slot& slot : slots_) {
    if (slot.instance) slot.instance->start();
  }
  forwarder_->start();
  control_ = std::make_unique<Control>(
      configuration_.agent.control_socket, std::getenv("RUNTIME_DIRECTORY") != nullptr,
      [this](const std::string& request) { return answer(request); }, logging_.part("control"));
}

void Agent::start_instance(Slot& slot) {
  const config::InstanceConfig& config = slot.prepared.config;
  Courier* const courier = config.is_input ? nullptr : outputs_->courier(config.name);
  plugin::Upstream& upstream = courier != nullptr ? static_cast<plugin::Upstream&>(*courier) : *router_;
  slot.instance = std::make_unique<plugin::Instance>(
      *slot.prepared.library, slot.prepared.options(configuration_.agent.id), upstream, clock_, metrics_,
      logging_.part((config.is_input ? "input." : "output.") + config.name));
  if (courier == nullptr) return;
  courier->attach([instance = slot.instance.get()](Delivery&& delivery) {
    return instance->deliver(std::move(delivery));
  });
}

Log Agent::log_about(const Slot& slot) const {
  const config::InstanceConfig& config = slot.prepared.config;
  return log_.with(config.is_input ? LogField::input : LogField::output, config.name);
}

void Agent::tick() {
  retry_missing(clock_.monotonic());
  for (const Slot& slot : slots_) {
    if (slot.instance) slot.instance->expire();
  }
  outputs_->wake();
  forwarder_->wake();
  logging_.sum_up();
  suppressed_lines_.add(logging_.suppressed() - suppressed_lines_.value());
}

// A plugin that was installed meanwhile is started now.
void Agent::retry_missing(Nanoseconds now) {
  for (Slot& slot : slots_) {
    if (slot.instance || now < slot.next_try) continue;
    slot.next_try = now + slot.retry.next();
    Problems problems;
    PreparedInstance prepared = prepare_instance(slot.prepared.config, catalogue_, problems);
    {
      const std::lock_guard lock(slots_mutex_);
      slot.prepared.load_error = prepared.load_error;
      if (!problems.empty()) slot.prepared.load_error = to_string(problems.all().front());
      if (prepared.library == nullptr || !problems.empty()) continue;
      slot.prepared = std::move(prepared);
      start_instance(slot);
    }
    log_about(slot).info("instance \"{}\": plugin \"{}\" is here now", slot.prepared.config.name,
                         slot.prepared.config.plugin);
    set_routes(configuration_.routes);
    slot.instance->start();
  }
}

void Agent::set_routes(const std::vector<route::Rule>& rules) {
  std::map<std::string, plugin::Instance*> instances;
  for (const Slot& slot : slots_) {
    if (slot.instance) instances[slot.prepared.config.name] = slot.instance.get();
  }
  router_->set_routes(route::Rules(rules, configuration_.agent.id), instances);
}

void Agent::reload(const config::Config& next) {
  const config::Difference difference = config::difference(configuration_, next);
  for (const std::string& section : difference.needs_restart) {
    log_.warn("reload: {} has changed: this takes effect at the next restart", section);
  }
  logging_.set_levels(next.log);
  configuration_.log = next.log;
  if (difference.routes) {
    set_routes(next.routes);
    configuration_.routes = next.routes;
    if (uses_qos2(next.routes)) mark_qos2(configuration_.agent.state_dir);
  }
  log_.info("reloaded: {} routes{}", next.routes.size(), difference.routes ? "" : ", none changed");
}

bool Agent::stop() {
  if (std::exchange(stopped_, true)) return true;
  control_.reset();
  for (const Slot& slot : slots_) {
    if (slot.instance) slot.instance->request_stop();
  }
  const auto deadline = std::chrono::steady_clock::now() + plugin::stop_grace;
  for (const Slot& slot : slots_) {
    if (slot.instance && !slot.instance->join(deadline)) {
      log_about(slot).error("instance \"{}\" did not stop within {} s and is abandoned",
                            slot.prepared.config.name, plugin::stop_grace.count());
    }
  }
  forwarder_->stop(session_stop_limit);
  if (!forwarder_->qos2_in_flight()) std::filesystem::remove(qos2_marker(configuration_.agent.state_dir));
  const bool outputs_written = outputs_->stop();
  const bool written = queue_->stop() && outputs_written;
  storage_.stop();
  return written;
}

Nanoseconds Agent::last_progress() {
  const Nanoseconds now = clock_.monotonic();
  storage_progress_.observe(storage_.heartbeat(), storage_.waits_for_disk(), now);
  session_progress_.observe(forwarder_->heartbeat(), forwarder_->is_connecting(), now);
  return std::min(storage_progress_.last(), session_progress_.last());
}

std::string Agent::summary() const {
  const mqtt::SessionStatus session = forwarder_->status();
  const queue::Stats stats = queue_->stats();
  return link_in_words(session) + ", " + std::to_string(stats.messages + stats.in_memory) +
         " messages waiting (" + std::to_string(stats.bytes >> 10U) + " KiB on disk)" +
         (stats.degraded ? ", storage degraded: " + stats.problem : "") + waiting_for(outputs_->queues());
}

Queues Agent::queues() const {
  Queues queues = {{configuration_.buffer.name, queue_.get()}};
  for (const auto& output : outputs_->queues()) queues.push_back(output);
  return queues;
}

ordered_json Agent::status() const {
  ordered_json document;
  document["agent"] = {{"id", configuration_.agent.id},
                       {"version", SLUICE_VERSION},
                       {"pid", ::getpid()},
                       {"started", encode::rfc3339(started_.count())},
                       {"state_dir", configuration_.agent.state_dir.string()},
                       {"last_good_configuration", last_good_}};
  document["session"] = session_document(forwarder_->status());
  document["buffer"] = buffer_statistics(queues());
  document["instances"] = ordered_json::array();
  {
    const std::lock_guard lock(slots_mutex_);
    for (const Slot& slot : slots_) {
      const config::InstanceConfig& config = slot.prepared.config;
      ordered_json instance = {
          {"name", config.name}, {"plugin", config.plugin}, {"kind", config.is_input ? "input" : "output"}};
      plugin::InstanceStatus status;
      if (slot.instance) {
        status = slot.instance->status();
      } else {
        status.last_error = slot.prepared.load_error;
      }
      instance.update(instance_document(status));
      if (!slot.instance) instance["state"] = "disabled";
      document["instances"].push_back(std::move(instance));
    }
  }
  document["metrics"] = metrics_document(metrics_.snapshot());
  return document;
}

// Acts as if the message came from the broker: also with regard to its age.
ordered_json Agent::send(const ordered_json& request) {
  Message message;
  message.topic = request.value("topic", "");
  std::string why;
  if (!route::valid_topic(message.topic, &why)) throw std::invalid_argument(message.topic + ": " + why);
  message.payload = request.value("payload", "");
  message.time.wall_ns = clock_.wall().count();
  message.time.monotonic_ns = clock_.monotonic().count();
  message.time.boot = clock_.boot();
  switch (router_->route_from_broker(std::move(message))) {
    case Router::Outcome::delivered:
      return {{"outcome", "delivered"}};
    case Router::Outcome::unrouted:
      return {{"outcome", "unrouted"}};
    case Router::Outcome::undelivered:
      break;
  }
  return {{"outcome", "undelivered"}};
}

std::string Agent::answer(const std::string& request) {
  ordered_json document;
  try {
    const ordered_json asked = ordered_json::parse(request);
    const std::string command = asked.value("command", "");
    if (command == "status") {
      document = status();
    } else if (command == "route") {
      const route::From from =
          asked.value("from", "input") == "broker" ? route::From::broker : route::From::input;
      document = explanation_document(router_->explain(asked.value("topic", ""), from), router_->rules());
    } else if (command == "send") {
      document = send(asked);
    } else {
      document = answer_buffer_request(queues(), asked, clock_);
    }
  } catch (const std::exception& error) {
    document = {{"error", error.what()}};
  }
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace sluice
