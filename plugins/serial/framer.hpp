// SPDX-License-Identifier: Apache-2.0
//
// Cuts the bytes of a line into frames. Owned by the loop of one instance, which is the only thread to call it. It knows
// no port and no clock: whoever feeds it says when the bytes came.
//
// Memory is bounded by max_frame and one feed. What is left of a frame that grew too long is skipped up to the place where
// the next one begins, and counted once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serial {

enum class Framing { delimiter, length, silence };

struct Frame {
  std::string bytes;
  std::int64_t first_byte_ns = 0;  // when the first byte of it was read
};

class Framer {
 public:
  struct Options {
    Framing framing = Framing::delimiter;
    std::string delimiter = "\n";  // delimiter: one byte at least
    bool keep_delimiter = false;
    std::size_t length = 0;            // length: 1..max_frame
    std::int64_t gap_ns = 20'000'000;  // silence: this much of it ends a frame
    std::int64_t frame_timeout_ns =
        0;  // delimiter, length: after this much silence an unfinished frame is dropped; 0 = never
    std::size_t max_frame = 32 * 1024;  // bytes, without the delimiter
  };

  // What was left out, since the beginning.
  struct Losses {
    std::uint64_t overflows = 0;   // frames longer than max_frame
    std::uint64_t incomplete = 0;  // unfinished ones: dropped by frame_timeout or abandon
    std::uint64_t empty = 0;       // nothing between two delimiters
  };

  explicit Framer(Options options);

  // Appends the frames that these bytes finish to `out`, in order. Times must not go backwards.
  void feed(std::string_view bytes, std::int64_t now_ns, std::vector<Frame>& out);
  // When expire() has something to do, if nothing more comes; none: never.
  std::optional<std::int64_t> deadline_ns() const;
  // Silence until `now_ns`: ends the frame (silence), or drops the unfinished one once its deadline has passed.
  void expire(std::int64_t now_ns, std::vector<Frame>& out);
  // Drops what is unfinished: the line was interrupted.
  void abandon();

  const Losses& losses() const { return losses_; }

 private:
  void cut_at_delimiters(std::int64_t now_ns, std::vector<Frame>& out);
  void cut_by_length(std::int64_t now_ns, std::vector<Frame>& out);
  void overflow();
  bool unfinished() const { return skipping_ || !buffer_.empty(); }

  const Options options_;
  Losses losses_;
  std::string buffer_;  // the unfinished frame; while skipping, what may be the beginning of a delimiter
  std::size_t searched_ = 0;  // no delimiter begins before this place
  bool skipping_ = false;     // the rest of a frame that was too long
  std::int64_t first_byte_ns_ = 0;
  std::int64_t last_byte_ns_ = 0;
};

}  // namespace serial
