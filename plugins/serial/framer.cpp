// SPDX-License-Identifier: Apache-2.0
#include "framer.hpp"

#include <algorithm>
#include <utility>

namespace serial {

Framer::Framer(Options options) : options_(std::move(options)) {}

void Framer::feed(std::string_view bytes, std::int64_t now_ns, std::vector<Frame>& out) {
  if (bytes.empty()) return;
  if (!unfinished()) first_byte_ns_ = now_ns;
  last_byte_ns_ = now_ns;
  switch (options_.framing) {
    case Framing::delimiter:
      buffer_.append(bytes);
      cut_at_delimiters(now_ns, out);
      break;
    case Framing::length:
      buffer_.append(bytes);
      cut_by_length(now_ns, out);
      break;
    case Framing::silence:
      if (skipping_) break;
      buffer_.append(bytes);
      if (buffer_.size() > options_.max_frame) {
        overflow();
        buffer_.clear();
      }
      break;
  }
}

void Framer::cut_at_delimiters(std::int64_t now_ns, std::vector<Frame>& out) {
  const std::string& delimiter = options_.delimiter;
  std::size_t begin = 0;  // of the frame that is being looked at
  for (;;) {
    const std::size_t at = buffer_.find(delimiter, std::max(begin, searched_));
    if (at == std::string::npos) break;
    const std::size_t next = at + delimiter.size();
    if (skipping_) {
      skipping_ = false;
    } else if (at - begin > options_.max_frame) {
      ++losses_.overflows;
    } else if (at == begin) {
      ++losses_.empty;
    } else {
      const std::size_t end = options_.keep_delimiter ? next : at;
      out.push_back(Frame{buffer_.substr(begin, end - begin), first_byte_ns_});
    }
    begin = searched_ = next;
    first_byte_ns_ = now_ns;
  }
  buffer_.erase(0, begin);
  // The last bytes may be the beginning of a delimiter that was split: at most all of it but one.
  const std::size_t kept = std::min(buffer_.size(), delimiter.size() - 1);
  if (!skipping_ && buffer_.size() - kept > options_.max_frame) overflow();
  if (skipping_) buffer_.erase(0, buffer_.size() - kept);
  searched_ = buffer_.size() - kept;
}

void Framer::cut_by_length(std::int64_t now_ns, std::vector<Frame>& out) {
  std::size_t begin = 0;
  while (buffer_.size() - begin >= options_.length) {
    out.push_back(Frame{buffer_.substr(begin, options_.length), first_byte_ns_});
    begin += options_.length;
    first_byte_ns_ = now_ns;
  }
  buffer_.erase(0, begin);
}

void Framer::overflow() {
  ++losses_.overflows;
  skipping_ = true;
}

std::optional<std::int64_t> Framer::deadline_ns() const {
  if (!unfinished()) return std::nullopt;
  if (options_.framing == Framing::silence) return last_byte_ns_ + options_.gap_ns;
  if (options_.frame_timeout_ns > 0) return last_byte_ns_ + options_.frame_timeout_ns;
  return std::nullopt;
}

void Framer::expire(std::int64_t now_ns, std::vector<Frame>& out) {
  const std::optional<std::int64_t> deadline = deadline_ns();
  if (!deadline || now_ns < *deadline) return;
  if (options_.framing != Framing::silence) {
    abandon();
    return;
  }
  if (!skipping_) out.push_back(Frame{std::move(buffer_), first_byte_ns_});
  buffer_.clear();
  skipping_ = false;
}

void Framer::abandon() {
  if (!skipping_ && !buffer_.empty()) ++losses_.incomplete;
  buffer_.clear();
  searched_ = 0;
  skipping_ = false;
}

}  // namespace serial
