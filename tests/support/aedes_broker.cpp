// SPDX-License-Identifier: Apache-2.0
#include "support/aedes_broker.hpp"

#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "support/free_port.hpp"

namespace sluice::test {
namespace {

constexpr const char* package = "aedes@0.51.3";

}  // namespace

AedesBroker::AedesBroker()
    : folder_(SLUICE_TEST_BUILD_DIR "/aedes"), why_not_(install()), port_(free_port()) {}

// Under a name of its own first, so that what was cut short is not taken for whole.
std::string AedesBroker::install() const {
  namespace fs = std::filesystem;
  if (run({"node", "--version"}).status != 0) return "there is no node";
  if (fs::exists(folder_ + "/node_modules/aedes/package.json")) return "";
  if (run({"npm", "--version"}).status != 0) return "there is no npm";
  const std::string begun = folder_ + "." + std::to_string(getpid());
  fs::create_directories(begun);
  constexpr std::chrono::minutes patience_with_registry{2};
  try {
    const Finished installed = run({"npm", "install", "--no-save", "--no-audit", "--no-fund",
                                    "--ignore-scripts", "--prefix", begun, package},
                                   {}, {}, patience_with_registry);
    if (installed.status == 0) {
      std::error_code another_was_first;
      fs::rename(begun, folder_, another_was_first);
      return fs::exists(folder_ + "/node_modules/aedes/package.json") ? "" : "npm installed no aedes";
    }
    fs::remove_all(begun);
    return std::string("npm cannot get ") + package + ": " + installed.output;
  } catch (const std::runtime_error&) {
    fs::remove_all(begun);
    return std::string("npm does not get ") + package + " in time";
  }
}

void AedesBroker::start() {
  process_ = std::make_unique<Process>(std::vector<std::string>{
      "node", SLUICE_TEST_SUPPORT_DIR "/aedes_broker.js", folder_, std::to_string(port_)});
  const auto listening = [this] { return process_->output().find("listening") != std::string::npos; };
  wait_until([&] { return listening() || !process_->running(); });
  if (!listening()) throw std::runtime_error("aedes: " + process_->output());
}

void AedesBroker::kill() {
  process_.reset();
}

}  // namespace sluice::test
