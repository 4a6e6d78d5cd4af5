// SPDX-License-Identifier: Apache-2.0
#include "base/packed.hpp"

#include <bit>
#include <cstring>
#include <limits>

namespace sluice {
namespace {

static_assert(std::endian::native == std::endian::little, "stored numbers are little-endian");

constexpr std::uint8_t format_version = 1;

enum Flag : std::uint8_t {
  flag_route_retain = 1,
  flag_message_retain = 2,
  flag_route_expiry = 4,
  flag_message_expiry = 8,
  flag_properties = 16,
  flag_payload = 32,
  flag_device_time = 64,
  flag_batch = 128,
};

enum class Type : std::uint8_t { none, no, yes, int64, uint64, number, text, bytes };

constexpr std::size_t usual_samples = 4;  // or fewer: in one block of the heap
constexpr unsigned quality_shift = 4;
constexpr unsigned format_shift = 2;
constexpr unsigned priority_shift = 4;
constexpr unsigned last_value = 3;  // in the place of a priority
constexpr unsigned mark_shift = 6;

template <typename T>
void put(std::string& out, T number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof number);
}

void put_length(std::string& out, std::uint64_t number) {
  while (number >= 0x80) {
    out.push_back(static_cast<char>(number | 0x80));
    number >>= 7U;
  }
  out.push_back(static_cast<char>(number));
}

void put_text(std::string& out, std::string_view text) {
  put_length(out, text.size());
  out.append(text);
}

void put_sample(std::string& out, const Sample& sample) {
  put_text(out, sample.name);
  const auto type = [&](Type t) {
    put(out, static_cast<std::uint8_t>(static_cast<unsigned>(t) | static_cast<unsigned>(sample.quality)
                                                                      << quality_shift));
  };
  struct Visitor {
    std::string& out;
    const decltype(type)& put_type;
    void operator()(std::monostate) const { put_type(Type::none); }
    void operator()(bool b) const { put_type(b ? Type::yes : Type::no); }
    void operator()(std::int64_t n) const { put_type(Type::int64), put(out, n); }
    void operator()(std::uint64_t n) const { put_type(Type::uint64), put(out, n); }
    void operator()(double n) const { put_type(Type::number), put(out, n); }
    void operator()(const std::string& s) const { put_type(Type::text), put_text(out, s); }
    void operator()(const Bytes& b) const { put_type(Type::bytes), put_text(out, b.data); }
  };
  std::visit(Visitor{out, type}, sample.value);
  if (sample.quality != Quality::good) put_text(out, sample.error);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return at_ == bytes_.size(); }

  template <typename T>
  T number() {
    need(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  std::uint64_t length() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = number<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    fail("a length without an end");
  }

  std::string_view text() {
    const std::uint64_t size = length();
    need(size);
    const std::string_view read = bytes_.substr(at_, size);
    at_ += size;
    return read;
  }

  std::string_view rest() { return bytes_.substr(std::exchange(at_, bytes_.size())); }

  // A length that fits in 32 bits.
  std::uint32_t number32() {
    const std::uint64_t value = length();
    if (value > std::numeric_limits<std::uint32_t>::max()) fail("a number out of range");
    return static_cast<std::uint32_t>(value);
  }

  std::chrono::seconds seconds() { return std::chrono::seconds(number32()); }

  [[noreturn]] void fail(const char* what) const {
    throw UnpackError("stored message, byte " + std::to_string(at_) + ": " + what);
  }

 private:
  void need(std::uint64_t size) const {
    if (size > bytes_.size() - at_) fail("cut short");
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

Sample read_sample(Reader& in) {
  Sample sample;
  sample.name = in.text();
  const auto head = in.number<std::uint8_t>();
  const unsigned quality = head >> quality_shift;
  if (quality > static_cast<unsigned>(Quality::bad)) in.fail("an unknown quality");
  sample.quality = static_cast<Quality>(quality);
  switch (static_cast<Type>(head & 0x0FU)) {
    case Type::none:
      break;
    case Type::no:
      sample.value = false;
      break;
    case Type::yes:
      sample.value = true;
      break;
    case Type::int64:
      sample.value = in.number<std::int64_t>();
      break;
    case Type::uint64:
      sample.value = in.number<std::uint64_t>();
      break;
    case Type::number:
      sample.value = in.number<double>();
      break;
    case Type::text:
      sample.value = std::string(in.text());
      break;
    case Type::bytes:
      sample.value = Bytes{std::string(in.text())};
      break;
    default:
      in.fail("an unknown type of value");
  }
  if (sample.quality != Quality::good) sample.error = in.text();
  return sample;
}

bool has_properties(const Message& m) {
  return !m.content_type.empty() || !m.response_topic.empty() || !m.correlation_data.empty() ||
         !m.user_properties.empty();
}

}  // namespace

void pack(const Delivery& delivery, std::string& out) {
  const Message& message = *delivery.message;
  const DeliveryOptions& options = delivery.options;
  unsigned flags = 0;
  if (options.retain) flags |= flag_route_retain;
  if (message.retain) flags |= flag_message_retain;
  if (options.expiry.count() > 0) flags |= flag_route_expiry;
  if (message.expiry.count() > 0) flags |= flag_message_expiry;
  if (has_properties(message)) flags |= flag_properties;
  if (message.payload) flags |= flag_payload;
  if (message.time.kind == TimeKind::device) flags |= flag_device_time;
  if (options.batch.count > 0) flags |= flag_batch;

  put(out, format_version);
  put(out, static_cast<std::uint8_t>(flags));
  put(out, static_cast<std::uint8_t>(
               options.qos | static_cast<unsigned>(options.format) << format_shift |
               (options.keep_last ? last_value : static_cast<unsigned>(options.priority)) << priority_shift |
               static_cast<unsigned>(message.time.mark) << mark_shift));
  put_text(out, delivery.topic());
  put_text(out, message.input);
  put(out, message.time.wall_ns);
  put(out, message.time.monotonic_ns);
  put(out, message.time.boot);
  if (flags & flag_route_expiry) put_length(out, static_cast<std::uint64_t>(options.expiry.count()));
  if (flags & flag_message_expiry) put_length(out, static_cast<std::uint64_t>(message.expiry.count()));
  if (flags & flag_batch) {
    put_length(out, options.batch.count);
    put_length(out, options.batch.bytes);
    put_length(out, static_cast<std::uint64_t>(options.batch.age.count()));
  }
  if (flags & flag_properties) {
    put_text(out, message.content_type);
    put_text(out, message.response_topic);
    put_text(out, message.correlation_data);
    put_length(out, message.user_properties.size());
    for (const auto& [name, value] : message.user_properties) {
      put_text(out, name);
      put_text(out, value);
    }
  }
  if (message.payload) {
    out.append(*message.payload);
  } else {
    for (const Sample& sample : message.samples) put_sample(out, sample);
  }
}

Delivery unpack(std::string_view bytes) {
  Reader in(bytes);
  if (const auto version = in.number<std::uint8_t>(); version != format_version) {
    in.fail("a version this program does not know");
  }
  auto message = std::make_shared<Message>();
  Delivery delivery;
  const auto flags = in.number<std::uint8_t>();
  const auto packed_options = in.number<std::uint8_t>();
  delivery.options.qos = packed_options & 3U;
  const unsigned priority = packed_options >> priority_shift & 3U;
  const unsigned mark = packed_options >> mark_shift;
  if (delivery.options.qos > 2 || mark > 2) in.fail("an option out of range");
  delivery.options.format = static_cast<Format>(packed_options >> format_shift & 1U);
  delivery.options.keep_last = priority == last_value;
  if (!delivery.options.keep_last) delivery.options.priority = static_cast<Priority>(priority);
  delivery.options.retain = (flags & flag_route_retain) != 0;
  message->retain = (flags & flag_message_retain) != 0;
  message->topic = in.text();
  message->input = in.text();
  message->time.wall_ns = in.number<std::int64_t>();
  message->time.monotonic_ns = in.number<std::int64_t>();
  message->time.boot = in.number<std::uint64_t>();
  message->time.kind = (flags & flag_device_time) != 0 ? TimeKind::device : TimeKind::host;
  message->time.mark = static_cast<TimeMark>(mark);
  if (flags & flag_route_expiry) delivery.options.expiry = in.seconds();
  if (flags & flag_message_expiry) message->expiry = in.seconds();
  if (flags & flag_batch) {
    delivery.options.batch.count = in.number32();
    delivery.options.batch.bytes = in.number32();
    delivery.options.batch.age = in.seconds();
  }
  if (flags & flag_properties) {
    message->content_type = in.text();
    message->response_topic = in.text();
    message->correlation_data = in.text();
    for (std::uint64_t count = in.length(); count > 0; --count) {
      const std::string_view name = in.text();
      message->user_properties.emplace_back(name, in.text());
    }
  }
  if (flags & flag_payload) {
    message->payload = in.rest();
  } else {
    if (!in.at_end()) message->samples.reserve(usual_samples);
    while (!in.at_end()) message->samples.push_back(read_sample(in));
  }
  delivery.message = std::move(message);
  return delivery;
}

}  // namespace sluice
