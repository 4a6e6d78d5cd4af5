// SPDX-License-Identifier: Apache-2.0
//
// Throws where it is told to, by its setting or by the payload that it is handed.
#include <sluice/plugin.hpp>
#include <stdexcept>
#include <string>

namespace {

class Throwing {
 public:
  static sluice::Description describe() {
    return sluice::Description("throwing", "1.0.0", "Throws.")
        .takes()
        .settings(
            {sluice::setting("where").string().defaults("").help("validate, plan, create, or nowhere.")});
  }
  static void validate(const sluice::Settings& settings, sluice::Report&) { maybe(settings, "validate"); }
  static void plan(const sluice::Settings& settings, sluice::Report& report) {
    maybe(settings, "plan");
    report.line("will throw");
  }
  Throwing(sluice::Host, const sluice::Settings& settings) { maybe(settings, "create"); }

  sluice::Message handle(const sluice::ReceivedMessage& message) {
    const std::string payload(message.payload());
    if (payload == "retry") throw sluice::Retry(std::chrono::milliseconds(7), "busy");
    if (payload == "refuse") throw sluice::Refused("never");
    if (payload == "throw") throw std::runtime_error("thrown by handle");
    if (payload == "throw 7") throw 7;
    return sluice::Message().sample("echo", payload);
  }

 private:
  static void maybe(const sluice::Settings& settings, const std::string& where) {
    if (settings["where"].as<std::string>() == where) throw std::runtime_error("thrown by " + where);
  }
};

}  // namespace

SLUICE_PLUGIN(Throwing)
