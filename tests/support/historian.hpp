// SPDX-License-Identifier: Apache-2.0
// A subscriber that is quick and never misses anything: QoS 1 and a session that the broker keeps while either is away. It
// knows messages by their ids. Not for several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>

#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::test {

class Historian {
 public:
  /// Returns once the broker has granted the subscription. Throws std::runtime_error.
  explicit Historian(std::uint16_t port);

  /// Takes in what has come since; the three below are of then.
  void read();
  std::size_t arrived() const { return arrived_; }  ///< repetitions included
  const std::unordered_set<std::string>& ids() const { return ids_; }
  /// The payloads of one topic, as that topic was named before the first read().
  const std::set<std::string>& payloads() const { return payloads_; }
  void keep_payloads_of(std::string topic) { topic_ = std::move(topic); }

 private:
  TemporaryDirectory directory_;
  std::size_t read_ = 0;  // bytes of the file
  std::size_t arrived_ = 0;
  std::string topic_;
  std::unordered_set<std::string> ids_;
  std::set<std::string> payloads_;
  std::unique_ptr<Process> process_;
};

}  // namespace sluice::test
