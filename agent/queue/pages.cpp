// SPDX-License-Identifier: Apache-2.0
#include "queue/pages.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

constexpr std::size_t page_size = static_cast<std::size_t>(sqlite::page_bytes);
constexpr std::size_t log_header = 32;
constexpr std::size_t frame_header = 24;
constexpr unsigned char table_leaf = 0x0D;
constexpr std::size_t leaf_header = 8;
constexpr std::uint64_t most_payload = std::uint64_t{64} << 20U;

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8U | static_cast<unsigned char>(byte);
  return number;
}

// SQLite's varint: seven bits a byte, the ninth byte whole.
std::optional<std::uint64_t> varint(std::string_view bytes, std::size_t& at) {
  std::uint64_t number = 0;
  for (unsigned i = 0; i < 9 && at < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    if (i == 8) return number << 8U | byte;
    number = number << 7U | (byte & 0x7FU);
    if ((byte & 0x80U) == 0) return number;
  }
  return std::nullopt;
}

std::int64_t signed_number(std::string_view bytes) {
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0x80U) != 0;
  const std::uint64_t unset = bytes.size() < 8 && negative ? ~std::uint64_t{0} << (8 * bytes.size()) : 0;
  return static_cast<std::int64_t>(big_endian(bytes) | unset);
}

// By its serial type; nothing: no type of ours, or it does not fit.
std::optional<Column> column(std::uint64_t type, std::string_view body, std::size_t& at) {
  constexpr std::array<std::size_t, 7> integer_bytes = {0, 1, 2, 3, 4, 6, 8};
  constexpr std::uint64_t zero = 8;
  constexpr std::uint64_t one = 9;
  constexpr std::uint64_t first_bytes = 12;
  Column read;
  if (type == 0) return read;
  read.kind = Column::Kind::integer;
  if (type == zero || type == one) {
    read.integer = type == one ? 1 : 0;
    return read;
  }
  const bool is_bytes = type >= first_bytes;
  if (!is_bytes && type >= integer_bytes.size()) return std::nullopt;
  const std::uint64_t size = is_bytes ? (type - first_bytes) / 2 : integer_bytes[type];
  if (size > body.size() - at) return std::nullopt;
  const std::string_view bytes = body.substr(at, size);
  at += size;
  if (is_bytes) {
    read.kind = Column::Kind::bytes;
    read.bytes = bytes;
  } else {
    read.integer = signed_number(bytes);
  }
  return read;
}

bool read_columns(std::string_view payload, std::vector<Column>& columns) {
  columns.clear();
  std::size_t at = 0;
  const auto header = varint(payload, at);
  if (!header || *header > payload.size()) return false;
  std::size_t body = *header;
  const std::string_view types = payload.substr(0, *header);
  while (at < types.size()) {
    const auto type = varint(types, at);
    if (!type) return false;
    const auto read = column(*type, payload, body);
    if (!read) return false;
    columns.push_back(*read);
  }
  return body == payload.size();
}

FileDescriptor open_to_read(const std::filesystem::path& file, std::uint64_t& bytes) {
  FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  bytes = opened && ::fstat(opened.get(), &status) == 0 && S_ISREG(status.st_mode)
              ? static_cast<std::uint64_t>(status.st_size)
              : 0;
  return opened;
}

bool read_at(const FileDescriptor& file, std::uint64_t at, std::string& page) {
  page.resize(page_size);
  const ssize_t read = ::pread(file.get(), page.data(), page_size, static_cast<off_t>(at));
  if (read <= 0) return false;
  // The end of a file that was cut.
  std::fill(page.begin() + read, page.end(), '\0');
  return true;
}

// Of the log, as SQLite has it: over words of that byte order, going on from the one before.
struct Checksum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const Checksum&) const = default;

  static Checksum stored(std::string_view bytes) {
    return {static_cast<std::uint32_t>(big_endian(bytes.substr(0, 4))),
            static_cast<std::uint32_t>(big_endian(bytes.substr(4, 4)))};
  }
  void add(std::string_view bytes, bool words_are_big_endian) {
    const auto word = [&](std::size_t at) {
      std::string text(bytes.substr(at, 4));
      if (!words_are_big_endian) std::reverse(text.begin(), text.end());
      return static_cast<std::uint32_t>(big_endian(text));
    };
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first += word(at) + second;
      second += word(at + 4) + first;
    }
  }
};

}  // namespace

Pages::Pages(const std::filesystem::path& file) {
  std::uint64_t bytes = 0;
  file_ = open_to_read(file, bytes);
  file_pages_ = (bytes + page_size - 1) / page_size;
  log_ = open_to_read(sqlite::with_suffix(file, "-wal"), bytes);
  log_pages_ = bytes < log_header ? 0 : (bytes - log_header) / (frame_header + page_size);
  whole_.resize(log_pages_);
  std::string before(log_header, '\0');
  if (log_pages_ > 0 && ::pread(log_.get(), before.data(), before.size(), 0) < 0) log_pages_ = 0;
  const bool big_endian_words = big_endian(std::string_view(before).substr(0, 4)) % 2 == 1;
  Checksum sum = Checksum::stored(std::string_view(before).substr(24));
  std::string frame(frame_header + page_size, '\0');
  for (std::size_t i = 0; i < log_pages_; ++i) {
    const auto at = static_cast<off_t>(log_header + i * frame.size());
    if (::pread(log_.get(), frame.data(), frame.size(), at) != static_cast<ssize_t>(frame.size())) break;
    const std::string_view read = frame;
    sum.add(read.substr(0, 8), big_endian_words);
    sum.add(read.substr(frame_header), big_endian_words);
    const Checksum stored = Checksum::stored(read.substr(16));
    whole_[i] = sum == stored;
    if (whole_[i]) in_log_[static_cast<std::uint32_t>(big_endian(read.substr(0, 4)))] = i;
    sum = stored;  // the next one may be whole, though this one is not
  }
}

bool Pages::read(std::size_t index, std::string& page) const {
  if (index < file_pages_) return read_at(file_, index * page_size, page);
  const std::size_t frame = index - file_pages_;
  return whole_[frame] && read_at(log_, log_header + frame * (frame_header + page_size) + frame_header, page);
}

bool Pages::read_number(std::uint32_t number, std::string& page) const {
  if (const auto found = in_log_.find(number); found != in_log_.end()) {
    return read(file_pages_ + found->second, page);
  }
  return number >= 1 && number <= file_pages_ && read(number - 1, page);
}

// The whole of a row that begins at `at`, with what overflows the page.
bool Pages::payload_of(std::string_view page, std::size_t at, std::int64_t& row, std::string& payload) const {
  constexpr std::size_t most_local = page_size - 35;
  constexpr std::size_t least_local = (page_size - 12) * 32 / 255 - 23;
  constexpr std::size_t on_overflow = page_size - 4;
  const auto size = varint(page, at);
  const auto id = varint(page, at);
  if (!size || !id || *size > most_payload) return false;
  row = static_cast<std::int64_t>(*id);
  std::size_t local = *size;
  if (*size > most_local) {
    const std::size_t rest = least_local + (*size - least_local) % on_overflow;
    local = rest <= most_local ? rest : least_local;
  }
  if (at + local > page.size()) return false;
  payload.assign(page.substr(at, local));
  if (local == *size) return true;
  if (at + local + 4 > page.size()) return false;
  std::uint64_t next = big_endian(page.substr(at + local, 4));
  std::string overflow;
  while (payload.size() < *size) {
    if (next == 0 || !read_number(static_cast<std::uint32_t>(next), overflow)) return false;
    next = big_endian(std::string_view(overflow).substr(0, 4));
    payload.append(overflow, 4, std::min(on_overflow, static_cast<std::size_t>(*size) - payload.size()));
  }
  return true;
}

void Pages::read_leaf(std::size_t index, const std::function<void(const Record&)>& each) const {
  std::string page;
  if (!read(index, page) || static_cast<unsigned char>(page[0]) != table_leaf) return;
  const std::string_view bytes = page;
  const std::uint64_t cells = big_endian(bytes.substr(3, 2));
  const std::size_t end_of_pointers = leaf_header + 2 * cells;
  if (end_of_pointers > page_size) return;
  Record record;
  std::string payload;
  std::optional<std::int64_t> last;
  for (std::size_t i = 0; i < cells; ++i) {
    const std::uint64_t at = big_endian(bytes.substr(leaf_header + 2 * i, 2));
    if (at < end_of_pointers || at >= page_size) continue;
    if (!payload_of(bytes, at, record.row, payload) || (last && record.row <= *last)) continue;
    if (!read_columns(payload, record.columns)) continue;
    last = record.row;
    each(record);
  }
}

}  // namespace sluice::queue
