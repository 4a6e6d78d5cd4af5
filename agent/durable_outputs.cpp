// SPDX-License-Identifier: Apache-2.0
#include "durable_outputs.hpp"

#include <algorithm>
#include <filesystem>

#include "queue/format_error.hpp"

namespace sluice {
namespace {

// Nothing is lost silently: what waits for an output that is gone waits for ever.
void look_for_abandoned(const config::Config& configuration, const Log& log) {
  std::error_code error;
  const std::filesystem::path folder = configuration.agent.state_dir / "queue";
  for (std::filesystem::directory_iterator entry(folder, error); !error && entry != end(entry);
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    const auto is_its = [&](const config::InstanceConfig& instance) {
      return instance.name == name && instance.durable && instance.enabled;
    };
    if (name == configuration.buffer.name) continue;
    if (std::any_of(configuration.instances.begin(), configuration.instances.end(), is_its)) continue;
    log.warn(
        "{} is the queue of an output that is not there, or not durable, any more: what it holds is kept, "
        "and "
        "delivered once an [[output]] of that name has durable = true; remove the folder if nobody needs it",
        entry->path().string());
  }
}

}  // namespace

DurableOutputs::DurableOutputs(const config::Config& configuration, queue::Storage& storage,
                               plugin::Upstream& upstream, const Clock& clock, Metrics& metrics,
                               Logging& logging) {
  for (const config::InstanceConfig& instance : configuration.instances) {
    if (!instance.durable || !instance.buffer || !instance.enabled) continue;
    const Log log = logging.part("output." + instance.name);
    Output output{instance.name, nullptr, nullptr};
    try {
      output.queue = std::make_unique<queue::Queue>(storage, *instance.buffer, log);
    } catch (const queue::FormatError& error) {
      log.error(
          "its queue cannot be used, what it has not taken is lost at a stop, as with durable = false: {}",
          error.what());
      continue;
    }
    output.courier =
        std::make_unique<Courier>(*instance.buffer, *output.queue, upstream, clock, metrics, log);
    outputs_.push_back(std::move(output));
  }
  look_for_abandoned(configuration, logging.part("queue"));
}

DurableOutputs::~DurableOutputs() {
  stop();
}

Courier* DurableOutputs::courier(const std::string& name) const {
  const auto found = std::find_if(outputs_.begin(), outputs_.end(),
                                  [&](const Output& output) { return output.name == name; });
  return found == outputs_.end() ? nullptr : found->courier.get();
}

std::vector<std::pair<std::string, queue::Queue*>> DurableOutputs::queues() const {
  std::vector<std::pair<std::string, queue::Queue*>> queues;
  for (const Output& output : outputs_) queues.emplace_back(output.name, output.queue.get());
  return queues;
}

void DurableOutputs::wake() {
  for (const Output& output : outputs_) output.courier->wake();
}

bool DurableOutputs::stop() {
  for (const Output& output : outputs_) output.courier->stop();
  bool written = true;
  for (const Output& output : outputs_) written = output.queue->stop() && written;
  return written;
}

}  // namespace sluice
