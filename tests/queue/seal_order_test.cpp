// SPDX-License-Identifier: Apache-2.0
// The order of what gets to the disk when a sealed segment is written: a power cut may keep the change and lose its time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "queue/fixture.hpp"
#include "queue/recorded_disk.hpp"

namespace sluice::queue {
namespace {

using Kind = DiskOperation::Kind;

class SealOrderTest : public QueueTest {
 protected:
  SealOrderTest() {
    options.max_bytes = 16 << 20;                        // segments of 1 MiB
    clock.set_wall(std::chrono::hours(24 * 365 * 100));  // long after the files have changed
  }
};

std::uint64_t key_of(const DiskOperation& record) {
  std::uint64_t key = 0;
  std::memcpy(&key, record.data.data(), sizeof key);
  return key;
}

TEST_F(SealOrderTest, ASealIsBrokenDurablyBeforeItsFileIsWritten) {
  close();
  std::filesystem::remove_all(options.directory);
  const RecordedDisk disk(options.directory);
  restart();
  append(1, 5000, 1000);
  queue->flush();
  advance(std::chrono::seconds(1));  // which seals those that are closed
  std::vector<Outgoing> taken;
  while (queue->take(taken, 1) == 0) look();
  look();
  const std::size_t before = disk.position();
  queue->acknowledge(taken.front().sequence);
  queue->flush();
  close();

  const std::vector<DiskOperation> operations = disk.operations();
  std::optional<std::size_t> mirror;
  std::vector<std::size_t> segment;
  for (const DiskOperation& operation : operations) {
    if (operation.kind != Kind::create) continue;
    if (operation.name == "mirror") mirror = operation.file;
    if (operation.name.find("/00000001.sqlite") != std::string::npos) segment.push_back(operation.file);
  }
  ASSERT_TRUE(mirror);
  ASSERT_FALSE(segment.empty());
  const auto from = operations.begin() + static_cast<std::ptrdiff_t>(before);
  const auto sealed = std::find_if(operations.begin(), from, [&](const DiskOperation& operation) {
    return operation.kind == Kind::write && operation.file == mirror &&
           key_of(operation) == (std::uint64_t{1} << 63U | std::uint64_t{1} << 48U | 1U);
  });
  ASSERT_NE(sealed, from) << "it was not sealed";
  const auto broken = std::find_if(from, operations.end(), [&](const DiskOperation& operation) {
    return operation.kind == Kind::write && operation.file == mirror && operation.at == sealed->at &&
           key_of(operation) == 0;
  });
  const auto durable = std::find_if(broken, operations.end(), [&](const DiskOperation& operation) {
    return operation.kind == Kind::sync && operation.file == mirror;
  });
  const auto written = std::find_if(from, operations.end(), [&](const DiskOperation& operation) {
    return operation.kind == Kind::write && std::count(segment.begin(), segment.end(), operation.file) > 0;
  });
  ASSERT_NE(written, operations.end());
  EXPECT_LT(broken - from, written - from);
  EXPECT_LT(durable - from, written - from);
}

}  // namespace
}  // namespace sluice::queue
