// SPDX-License-Identifier: Apache-2.0
// An output that appends the values it gets to a file, a line each; but while the file `gate` is there it answers
// "later", messages whose topic ends with /refused it refuses, and one whose topic ends with /stuck it never lets go of.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sluice/plugin.hpp>
#include <string>

namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

class Reluctant {
 public:
  static sluice::Description describe() {
    return sluice::Description("reluctant", "1", "Takes messages when it likes.")
        .settings({sluice::setting("path").string().required(), sluice::setting("gate").string().required()});
  }
  Reluctant(sluice::Host host, const sluice::Settings& settings)
      : host_(host), path_(settings["path"].as<std::string>()), gate_(settings["gate"].as<std::string>()) {}

  void handle(sluice::Messages messages) {
    std::ofstream file(path_, std::ios::app);
    for (const sluice::ReceivedMessage& message : messages) {
      const std::string_view topic = message.topic();
      while (ends_with(topic, "/stuck")) ::pause();
      if (ends_with(topic, "/refused")) {
        host_.refuse(message.token(), "no place for it");
      } else if (std::filesystem::exists(gate_)) {
        host_.retry(message.token(), std::chrono::milliseconds(50), "the gate is there");
      } else {
        file << message.sample("value")->number().value_or(-1) << std::endl;
        host_.complete(message.token());
      }
    }
  }

 private:
  const sluice::Host host_;
  const std::string path_;
  const std::string gate_;
};

}  // namespace

SLUICE_PLUGIN(Reluctant);
