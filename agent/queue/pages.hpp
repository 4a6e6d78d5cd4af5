// SPDX-License-Identifier: Apache-2.0
// The rows of a damaged database, read from its pages without SQLite: what lies on a page that can be read is found,
// whatever has become of the header, the schema, the pages above it, or the write-ahead log's index. Used by the
// storage thread, while a file is salvaged.
//
// By SQLite's file format, for files as the queue makes them: pages of 4096 bytes without reserved space. Every
// version of a page is looked at, those in the log too, whether their transaction was finished or not: rows of the
// queue are inserted and never changed, so that each version tells the truth about what it holds. Of the log only pages with the
// right checksum are: a power cut may leave others half written, and half a message must not be sent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"

namespace sluice::queue {

struct Column {
  enum class Kind : std::uint8_t { null, integer, bytes };
  Kind kind = Kind::null;
  std::int64_t integer = 0;
  std::string_view bytes;  ///< text or blob
};

/// A row of some table; its columns end with the call that gets it.
struct Record {
  std::int64_t row = 0;
  std::vector<Column> columns;
};

class Pages {
 public:
  /// Opens what can be opened of the file and its log; nothing: no pages.
  explicit Pages(const std::filesystem::path& file);

  /// Versions of pages: those of the file first, then the log's, oldest first.
  std::size_t count() const { return file_pages_ + log_pages_; }
  /// The rows of that one, ascending, where it is a leaf of a table; what does not add up is left out.
  void read_leaf(std::size_t index, const std::function<void(const Record& record)>& each) const;

 private:
  bool read(std::size_t index, std::string& page) const;
  bool read_number(std::uint32_t number, std::string& page) const;
  bool payload_of(std::string_view page, std::size_t at, std::int64_t& row, std::string& payload) const;

  FileDescriptor file_;
  FileDescriptor log_;
  std::size_t file_pages_ = 0;
  std::size_t log_pages_ = 0;
  std::vector<bool> whole_;                      // by its checksum, each page there
  std::map<std::uint32_t, std::size_t> in_log_;  // the latest version of a page there
};

}  // namespace sluice::queue
