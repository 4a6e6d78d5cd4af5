// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include "escapes.hpp"

#include <array>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace serial {

namespace {

using namespace std::chrono_literals;
using sluice::setting;

// In the order of the enumerations.
constexpr std::array<const char*, 5> parities = {"none", "odd", "even", "mark", "space"};
constexpr std::array<const char*, 3> flows = {"none", "rts-cts", "xon-xoff"};
constexpr std::array<const char*, 3> signals = {"leave", "on", "off"};
constexpr std::array<const char*, 3> framings = {"delimiter", "length", "silence"};
constexpr std::array<const char*, 4> payloads = {"text", "hex", "bytes", "json"};

template <std::size_t Count>
std::vector<std::string> names(const std::array<const char*, Count>& all) {
  return {all.begin(), all.end()};
}

template <class Enum, std::size_t Count>
Enum choice(const sluice::Setting& from, const std::array<const char*, Count>& all) {
  const auto name = from.as<std::string_view>();
  for (std::size_t index = 0; index < Count; ++index) {
    if (name == all[index]) return static_cast<Enum>(index);
  }
  from.fail("is none of the choices: " + std::string(name));
}

std::string bytes(const sluice::Setting& from) {
  try {
    return unescape(from.value_or(""));
  } catch (const std::invalid_argument& wrong) {
    from.fail(wrong.what());
  }
}

template <class Duration>
std::string milliseconds(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

}  // namespace

std::vector<sluice::SettingSpec> declare_options() {
  return {
      setting("device").string().required().help(
          "The port, best by its lasting name: /dev/serial/by-id/..., else /dev/ttyUSB0, /dev/ttyS0."),
      setting("baud")
          .integer()
          .range(50, 4'000'000)
          .defaults(9600)
          .unit("Bd")
          .help("The rate; also one that is not standard, where the hardware can make it."),
      setting("data_bits").integer().range(5, 8).defaults(8).help("Bits of a character."),
      setting("parity")
          .string()
          .choices(names(parities))
          .defaults("none")
          .help("The parity bit; a character with a wrong one is dropped."),
      setting("stop_bits").integer().range(1, 2).defaults(1).help("Stop bits after a character."),
      setting("flow").string().choices(names(flows)).defaults("none").help("Flow control."),
      setting("dtr")
          .string()
          .choices(names(signals))
          .defaults("leave")
          .help("The DTR line once the port is open; leave: as the driver sets it."),
      setting("rts")
          .string()
          .choices(names(signals))
          .defaults("leave")
          .help("The RTS line once the port is open; not with flow = \"rts-cts\"."),
      setting("framing")
          .string()
          .choices(names(framings))
          .defaults("delimiter")
          .help("What ends a frame: a delimiter, a number of bytes, or silence."),
      setting("delimiter")
          .string()
          .defaults("\\n")
          .help("framing = \"delimiter\": the bytes between two frames; \\n \\r \\t \\0 \\\\ \\xHH stand for "
                "one byte."),
      setting("keep_delimiter")
          .boolean()
          .defaults(false)
          .help("Leave the delimiter at the end of the frame."),
      setting("length")
          .integer()
          .range(1, 1'048'576)
          .unit("bytes")
          .help("framing = \"length\": the size of every frame."),
      setting("gap").duration().range(1ms, 60s).defaults(20ms).help(
          "framing = \"silence\": a frame ends when nothing came for this long."),
      setting("frame_timeout")
          .duration()
          .range(0s, 1h)
          .defaults(5s)
          .help("framing = \"delimiter\" or \"length\": an unfinished frame is dropped when nothing came for "
                "this long; 0s: never."),
      setting("max_frame")
          .size()
          .range(1, 1'048'576)
          .defaults("32KiB")
          .help("A longer frame is dropped and counted as an overflow."),
      setting("payload")
          .string()
          .choices(names(payloads))
          .defaults("text")
          .help("What a frame becomes: one sample `value` as text, as hexadecimal digits or as bytes (base64 "
                "in JSON), or the fields of a JSON object."),
      setting("number").boolean().defaults(false).help(
          "payload = \"text\": a frame that is a number becomes a number."),
      setting("init").string().defaults("").help("Written once after opening; escapes as in delimiter."),
      setting("poll").string().defaults("").help(
          "Written every poll_interval, to a device that answers only when asked; escapes as in delimiter."),
      setting("poll_interval").duration().range(10ms, 24h).defaults(1s).help("From one poll to the next."),
      setting("poll_timeout")
          .duration()
          .range(10ms, 1h)
          .defaults(1s)
          .help("How long to wait for the answer to a poll; until then nothing else is written."),
      setting("write_end")
          .string()
          .help("Appended to what messages ask to write; left out: the delimiter with framing = "
                "\"delimiter\", else nothing."),
      setting("write_timeout")
          .duration()
          .range(10ms, 1h)
          .defaults(2s)
          .help("How long a write may take until all of it has left the port."),
  };
}

Options read_options(const sluice::Settings& settings) {
  Options options;
  options.device = settings["device"].as<std::string>();
  options.line.baud = settings["baud"].as<std::uint32_t>();
  options.line.data_bits = settings["data_bits"].as<int>();
  options.line.parity = choice<Parity>(settings["parity"], parities);
  options.line.stop_bits = settings["stop_bits"].as<int>();
  options.line.flow = choice<Flow>(settings["flow"], flows);
  options.line.dtr = choice<Signal>(settings["dtr"], signals);
  options.line.rts = choice<Signal>(settings["rts"], signals);

  options.framer.framing = choice<Framing>(settings["framing"], framings);
  options.framer.delimiter = bytes(settings["delimiter"]);
  options.framer.keep_delimiter = settings["keep_delimiter"].as<bool>();
  options.framer.length = settings["length"].value_or<std::size_t>(0);
  options.framer.gap_ns = settings["gap"].as<std::chrono::nanoseconds>().count();
  options.framer.frame_timeout_ns = settings["frame_timeout"].as<std::chrono::nanoseconds>().count();
  options.framer.max_frame = settings["max_frame"].as<std::size_t>();
  if (options.framer.framing == Framing::delimiter && options.framer.delimiter.empty()) {
    settings["delimiter"].fail("expected one byte at least");
  }
  if (options.framer.framing == Framing::length) {
    if (options.framer.length == 0) settings["length"].fail("is required with framing = \"length\"");
    if (options.framer.length > options.framer.max_frame) {
      settings["length"].fail("expected at most max_frame, " + std::to_string(options.framer.max_frame));
    }
  }

  options.payload = choice<Payload>(settings["payload"], payloads);
  options.number = settings["number"].as<bool>();
  options.init = bytes(settings["init"]);
  options.poll = bytes(settings["poll"]);
  options.poll_interval = settings["poll_interval"].as<std::chrono::nanoseconds>();
  options.poll_timeout = settings["poll_timeout"].as<std::chrono::nanoseconds>();
  if (settings.has("write_end")) {
    options.write_end = bytes(settings["write_end"]);
  } else if (options.framer.framing == Framing::delimiter) {
    options.write_end = options.framer.delimiter;
  }
  options.write_timeout = settings["write_timeout"].as<std::chrono::nanoseconds>();
  return options;
}

void check_options(const sluice::Settings& settings, sluice::Report& report) {
  for (const char* name : {"delimiter", "init", "poll", "write_end"}) {
    try {
      unescape(settings[name].value_or(""));
    } catch (const std::invalid_argument& wrong) {
      report.problem(settings[name], wrong.what());
    }
  }
  const auto framing = settings["framing"].as<std::string_view>();
  if (framing == "delimiter" && settings["delimiter"].as<std::string_view>().empty()) {
    report.problem(settings["delimiter"], "expected one byte at least");
  }
  if (framing == "length") {
    const auto max_frame = settings["max_frame"].as<std::size_t>();
    if (!settings.has("length")) {
      report.problem(settings["length"], "is required with framing = \"length\"");
    } else if (settings["length"].as<std::size_t>() > max_frame) {
      report.problem(settings["length"], "expected at most max_frame, " + std::to_string(max_frame));
    }
  }
  if (settings["number"].as<bool>() && settings["payload"].as<std::string_view>() != "text") {
    report.problem(settings["number"], "works with payload = \"text\" only");
  }
  if (settings["flow"].as<std::string_view>() == "rts-cts" &&
      settings["rts"].as<std::string_view>() != "leave") {
    report.problem(settings["rts"], "expected \"leave\": flow = \"rts-cts\" drives this line");
  }
  if (settings["device"].as<std::string_view>().substr(0, 1) != "/") {
    report.problem(settings["device"],
                   "expected an absolute path, such as /dev/serial/by-id/... or /dev/ttyUSB0");
  }
}

std::vector<std::string> describe_options(const Options& options) {
  static constexpr char parity_letters[] = "NOEMS";
  std::vector<std::string> lines;
  lines.push_back(options.device + ": " + std::to_string(options.line.baud) + " Bd, " +
                  std::to_string(options.line.data_bits) +
                  parity_letters[static_cast<int>(options.line.parity)] +
                  std::to_string(options.line.stop_bits) + ", flow control " +
                  flows[static_cast<std::size_t>(options.line.flow)]);
  std::string frame = "frames end ";
  switch (options.framer.framing) {
    case Framing::delimiter:
      frame += "at \"" + escape(options.framer.delimiter) + "\"";
      break;
    case Framing::length:
      frame += "after " + std::to_string(options.framer.length) + " bytes";
      break;
    case Framing::silence:
      frame += "after " + milliseconds(std::chrono::nanoseconds(options.framer.gap_ns)) + " of silence";
      break;
  }
  lines.push_back(frame + ", and are read as " + payloads[static_cast<std::size_t>(options.payload)]);
  if (!options.init.empty()) lines.push_back("after opening writes \"" + escape(options.init) + "\"");
  if (!options.poll.empty()) {
    lines.push_back("every " + milliseconds(options.poll_interval) + " writes \"" + escape(options.poll) +
                    "\", and waits " + milliseconds(options.poll_timeout) + " for the answer");
  }
  return lines;
}

}  // namespace serial
