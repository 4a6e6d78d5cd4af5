// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string_view>

namespace sluice::modbus {
namespace {

using namespace std::chrono_literals;
using Complain = std::function<void(const Setting&, const std::string&)>;

// What libmodbus knows; it would take 9600 for any other, in silence.
constexpr std::array baud_rates{110,     300,     600,     1200,    2400,    4800,    9600,   19200,
                                38400,   57600,   115200,  230400,  460800,  500000,  576000, 921600,
                                1000000, 1152000, 1500000, 2500000, 3000000, 3500000, 4000000};

constexpr std::array<std::string_view, 8> reserved_samples{"ts", "value", "quality",  "error",
                                                           "id", "time",  "encoding", "replayed"};

std::vector<SettingSpec> tag_specs() {
  return {
      setting("name").string().required().help("Names the tag; unique in its unit."),
      setting("kind")
          .string()
          .choices({"coil", "discrete", "holding", "input"})
          .help("The table it lies in: functions 1, 2, 3 and 4 read these; holding unless `reference` says "
                "another."),
      setting("address").integer().range(0, 65536).help(
          "Its first register or bit; also in hexadecimal, as 0x1F."),
      setting("reference")
          .string()
          .help("Instead of kind and address: \"40001\" or \"400001\", counted from 1; 0 coils, 1 discrete "
                "inputs, 3 input registers."),
      setting("type")
          .string()
          .choices({"bool", "int8-high", "int8-low", "uint8-high", "uint8-low", "int16", "uint16", "int32",
                    "uint32", "int64", "uint64", "float16", "float32", "float64", "bcd16", "bcd32", "string",
                    "bytes"})
          .help("How the registers are read; bool for coils, discrete inputs and with `bit`, uint16 "
                "otherwise."),
      setting("bit").integer().range(0, 15).help("One bit of a register, 0 the least significant."),
      setting("length").integer().range(1, 250).unit("bytes").help("Of a string or bytes."),
      setting("byte_order").string().choices({"ABCD", "BADC", "CDAB", "DCBA"}).help("Instead of the unit's."),
      setting("scale").number().defaults(1.0).help("Published is raw * scale + offset."),
      setting("offset").number().defaults(0.0).help("Added after scaling."),
      setting("decimals").integer().range(0, 15).help("Rounds to so many digits after the point."),
      setting("unit").string().defaults("").help("Of the value; travels as the user property `unit`."),
      setting("writable").boolean().defaults(false).help("Whether messages may write it."),
      setting("write_multiple")
          .boolean()
          .defaults(false)
          .help("Writes by function 15 or 16 even a single value, for devices that lack 5 and 6."),
      setting("read_back")
          .boolean()
          .defaults(true)
          .help("Reads the value again after a write, and compares."),
      setting("min").number().help("The smallest value that may be written."),
      setting("max").number().help("The largest value that may be written."),
  };
}

std::vector<SettingSpec> unit_specs() {
  return {
      setting("id").integer().required().range(0, 255).help(
          "The unit's address on the bus; 1..247 on a serial line."),
      setting("name").string().defaults("").help(
          "Names the unit in topics and commands; its id where empty."),
      setting("byte_order")
          .string()
          .choices({"ABCD", "BADC", "CDAB", "DCBA"})
          .defaults("ABCD")
          .help("How the bytes of a value stand in its registers; A is the most significant."),
      setting("address_base")
          .integer()
          .range(0, 1)
          .defaults(0)
          .help("What the device's manual calls the first register."),
      setting("coalesce").boolean().defaults(true).help("Reads neighbouring tags by one request."),
      setting("max_gap").integer().range(0, 124).unit("registers").help("Instead of the instance's."),
      setting("max_registers").integer().range(1, 125).help("Instead of the instance's."),
      setting("max_bits").integer().range(1, 2000).help("Instead of the instance's."),
      setting("put_aside_after")
          .integer()
          .range(1, 1000)
          .defaults(3)
          .unit("cycles")
          .help("After so many failed cycles the unit is put aside."),
      setting("put_aside_for")
          .duration()
          .range(10ms, 24h)
          .defaults(30s)
          .help("How long until a unit that was put aside, or a tag that was refused, is tried again."),
      setting("group").boolean().defaults(false).help("One message with all tags, instead of one for each."),
      setting("tag").list_of_tables(tag_specs()).at_least(1).help("The values to read."),
  };
}

class Reader {
 public:
  explicit Reader(Complain complain) : complain_(std::move(complain)) {}

  Options read(const Settings& settings) const {
    Options out;
    read_link(settings, out.link);
    out.cycle = settings["cycle"].as<std::chrono::nanoseconds>();
    out.retries = settings["retries"].as<unsigned>();
    const auto errors = settings["publish_errors"].as<std::string_view>();
    out.publish_errors = errors == "cycle"  ? PublishErrors::cycle
                         : errors == "none" ? PublishErrors::none
                                            : PublishErrors::change;
    out.trace = settings["trace"].as<bool>();
    std::set<std::string> names;
    std::set<int> ids;
    for (const Setting& unit : settings["unit"]) {
      out.units.push_back(read_unit(settings, unit, out.link.transport));
      if (!ids.insert(out.units.back().id).second) complain_(unit["id"], "another unit has the same id");
      if (!names.insert(out.units.back().name).second)
        complain_(unit["name"], "another unit has the same name");
    }
    if (out.units.empty()) complain_(settings["unit"], "expected at least one [[input.unit]]");
    return out;
  }

 private:
  void read_link(const Settings& settings, LinkOptions& out) const {
    const auto transport = settings["transport"].as<std::string_view>();
    out.transport = transport == "rtu"   ? Transport::rtu
                    : transport == "tcp" ? Transport::tcp
                                         : Transport::rtu_over_tcp;
    out.host = settings["server"].as<std::string>();
    out.port = settings["port"].as<std::uint16_t>();
    out.device = settings["device"].as<std::string>();
    out.baud = settings["baud"].as<int>();
    const auto parity = settings["parity"].as<std::string_view>();
    out.parity = parity == "even" ? 'E' : parity == "odd" ? 'O' : 'N';
    out.data_bits = settings["data_bits"].as<int>();
    out.stop_bits = settings["stop_bits"].as<int>();
    const auto time = [&](const char* key) { return settings[key].as<std::chrono::microseconds>(); };
    out.response_timeout = time("response_timeout");
    out.byte_timeout = time("byte_timeout");
    out.connect_timeout = time("connect_timeout");
    out.pause = time("pause_between_requests");
    out.pause_after_connect = time("pause_after_connect");
    if (out.transport == Transport::rtu) {
      if (out.device.empty())
        complain_(settings["device"], "expected the serial device, such as \"/dev/ttyUSB0\"");
      if (std::find(baud_rates.begin(), baud_rates.end(), out.baud) == baud_rates.end()) {
        complain_(settings["baud"],
                  "expected a standard rate, such as 9600, 19200 or 115200, got " + std::to_string(out.baud));
      }
    } else if (out.host.empty()) {
      complain_(settings["server"], "expected the name or address of the device");
    }
  }

  UnitOptions read_unit(const Settings& settings, const Setting& unit, Transport transport) const {
    UnitOptions out;
    out.id = unit["id"].as<std::uint8_t>();
    if (transport == Transport::rtu && (out.id < 1 || out.id > 247)) {
      complain_(unit["id"], "expected 1..247 on a serial line, got " + std::to_string(out.id));
    }
    out.name = unit["name"].as<std::string>();
    if (out.name.empty()) out.name = std::to_string(out.id);
    const auto limit = [&](const char* key) {
      return unit.has(key) ? unit[key].as<std::uint16_t>() : settings[key].as<std::uint16_t>();
    };
    out.limits = {unit["coalesce"].as<bool>(), limit("max_gap"), limit("max_registers"), limit("max_bits")};
    out.put_aside_after = unit["put_aside_after"].as<unsigned>();
    out.put_aside_for = unit["put_aside_for"].as<std::chrono::nanoseconds>();
    out.group = unit["group"].as<bool>();
    std::set<std::string> names;
    for (const Setting& tag : unit["tag"]) {
      out.tags.push_back(read_tag(unit, tag, out.limits));
      const std::string& name = out.tags.back().name;
      if (name.empty()) complain_(tag["name"], "expected a name");
      if (!names.insert(name).second)
        complain_(tag["name"], "another tag of the unit is called \"" + name + "\"");
      if (std::find(reserved_samples.begin(), reserved_samples.end(), name) != reserved_samples.end()) {
        complain_(tag["name"],
                  "a tag cannot be called \"" + name + "\": that means something else in a message");
      }
    }
    if (out.tags.empty()) complain_(unit["tag"], "expected at least one [[input.unit.tag]]");
    return out;
  }

  Tag read_tag(const Setting& unit, const Setting& from, const Limits& limits) const {
    Tag tag;
    tag.name = from["name"].as<std::string>();
    read_place(unit, from, tag);
    read_type(from, tag);
    tag.order = *parse_order((from.has("byte_order") ? from : unit)["byte_order"].as<std::string_view>());
    tag.scale = from["scale"].as<double>();
    tag.offset = from["offset"].as<double>();
    if (from.has("decimals")) tag.decimals = from["decimals"].as<int>();
    if (tag.scale == 0) complain_(from["scale"], "expected a number other than 0");
    tag.unit = from["unit"].as<std::string>();
    tag.writable = from["writable"].as<bool>();
    tag.write_multiple = from["write_multiple"].as<bool>();
    tag.read_back = from["read_back"].as<bool>();
    if (from.has("min")) tag.minimum = from["min"].as<double>();
    if (from.has("max")) tag.maximum = from["max"].as<double>();
    if (tag.minimum && tag.maximum && *tag.minimum > *tag.maximum)
      complain_(from["min"], "expected at most max");
    if (tag.writable && (tag.kind == Kind::discrete || tag.kind == Kind::input)) {
      complain_(from["writable"], "only coils and holding registers can be written");
    }
    if (tag.end() > 65536) complain_(from["address"], "the value ends after the last address, 65535");
    if (!tag.in_bits() && tag.width() > limits.max_registers) {
      complain_(from, "takes " + std::to_string(tag.width()) + " registers, but max_registers is " +
                          std::to_string(limits.max_registers));
    } else if (tag.writable && tag.width() > 123) {  // the most that function 16 writes
      complain_(from["length"], "expected at most 246 where the tag is writable");
    }
    return tag;
  }

  void read_place(const Setting& unit, const Setting& from, Tag& tag) const {
    if (from.has("reference")) {
      if (from.has("address") || from.has("kind"))
        complain_(from["reference"], "stands instead of kind and address");
      const auto text = from["reference"].as<std::string>();
      if (const auto reference = parse_reference(text)) {
        tag.kind = reference->kind;
        tag.address = reference->address;
      } else {
        complain_(
            from["reference"],
            "expected 5 or 6 digits that begin with 0, 1, 3 or 4, such as \"40001\", got \"" + text + "\"");
      }
      return;
    }
    if (from.has("kind")) tag.kind = *parse_kind(from["kind"].as<std::string_view>());
    if (!from.has("address")) {
      complain_(from, "expected address or reference");
      return;
    }
    const auto base = unit["address_base"].as<std::int64_t>();
    const auto address = from["address"].as<std::int64_t>();
    if (address < base || address - base > 65535) {
      complain_(from["address"], "expected " + std::to_string(base) + ".." + std::to_string(65535 + base) +
                                     " with address_base " + std::to_string(base) + ", got " +
                                     std::to_string(address));
      return;
    }
    tag.address = static_cast<std::uint16_t>(address - base);
  }

  void read_type(const Setting& from, Tag& tag) const {
    if (from.has("bit")) tag.bit = from["bit"].as<std::uint8_t>();
    tag.type = tag.in_bits() || tag.bit ? Type::boolean : Type::uint16;
    if (from.has("type")) {
      const Type type = *parse_type(from["type"].as<std::string_view>());
      if (tag.in_bits() && type != Type::boolean) {
        complain_(from["type"], "coils and discrete inputs are of type bool");
      } else if (tag.bit && type != Type::boolean) {
        complain_(from["type"], "one bit is of type bool");
      } else {
        tag.type = type;
      }
    }
    if (tag.bit && tag.in_bits()) complain_(from["bit"], "coils and discrete inputs are bits already");
    const bool sized = tag.type == Type::string || tag.type == Type::bytes;
    if (sized && !from.has("length")) complain_(from, "a string or bytes needs length");
    if (!sized && from.has("length")) complain_(from["length"], "only a string or bytes has a length");
    if (from.has("length")) tag.length = from["length"].as<std::uint16_t>();
    if (sized && tag.length == 0) tag.length = 1;
  }

  Complain complain_;
};

}  // namespace

std::vector<SettingSpec> setting_specs() {
  return {
      setting("transport")
          .string()
          .choices({"tcp", "rtu", "rtu-over-tcp"})
          .defaults("tcp")
          .help("How the units are reached: Modbus TCP, a serial line, or RTU frames over a TCP connection."),
      setting("server").string().defaults("").help(
          "Of the device or gateway; an address spares the name's look-up."),
      setting("port").integer().range(1, 65535).defaults(502).help("The TCP port."),
      setting("device").string().defaults("").help(
          "The serial device, best by its name in /dev/serial/by-id."),
      setting("baud")
          .integer()
          .range(110, 4000000)
          .defaults(9600)
          .unit("Bd")
          .help("The rate of the serial line."),
      setting("parity")
          .string()
          .choices({"none", "even", "odd"})
          .defaults("none")
          .help("Of the serial line."),
      setting("data_bits").integer().range(7, 8).defaults(8).help("Of the serial line; RTU needs 8."),
      setting("stop_bits").integer().range(1, 2).defaults(1).help("Of the serial line."),
      setting("cycle").duration().range(10ms, 24h).defaults(1s).help("How often all tags are read."),
      setting("response_timeout")
          .duration()
          .range(1ms, 60s)
          .defaults(500ms)
          .help("How long a unit may take until its reply begins."),
      setting("byte_timeout")
          .duration()
          .range(1ms, 1s)
          .defaults(500ms)
          .help("The longest pause within one reply."),
      setting("connect_timeout")
          .duration()
          .range(10ms, 60s)
          .defaults(3s)
          .help("How long a TCP connection may take to be made."),
      setting("retries").integer().range(0, 10).defaults(1).help(
          "How often a request that got no good reply is repeated at once."),
      setting("max_gap")
          .integer()
          .range(0, 124)
          .defaults(8)
          .unit("registers")
          .help(
              "Reads over so many registers between two tags to save a request; for bits, 16 times as many."),
      setting("max_registers")
          .integer()
          .range(1, 125)
          .defaults(125)
          .help("The most registers of one request."),
      setting("max_bits").integer().range(1, 2000).defaults(2000).help("The most bits of one request."),
      setting("pause_between_requests")
          .duration()
          .range(0s, 10s)
          .defaults(0s)
          .help("The least time between a reply and the next request; a serial line has at least 3.5 "
                "characters."),
      setting("pause_after_connect")
          .duration()
          .range(0s, 60s)
          .defaults(0s)
          .help("How long a device is left alone after the connection was made."),
      setting("publish_errors")
          .string()
          .choices({"change", "cycle", "none"})
          .defaults("change")
          .help("When a tag that cannot be read is published as bad: as its error changes, in every cycle, "
                "or never."),
      setting("trace").boolean().defaults(false).help("Logs every frame in hexadecimal, at level debug."),
      setting("unit").list_of_tables(unit_specs()).at_least(1).help("The units on the bus."),
  };
}

void check(const Settings& settings, Report& report) {
  Reader([&](const Setting& at, const std::string& text) { report.problem(at, text); }).read(settings);
}

Options read_options(const Settings& settings) {
  return Reader([](const Setting& at, const std::string& text) { at.fail(text); }).read(settings);
}

}  // namespace sluice::modbus
