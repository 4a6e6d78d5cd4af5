// SPDX-License-Identifier: Apache-2.0
// The order of what gets to the disk when a sealed segment is written: a power cut may keep the change and lose its time.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "queue/fixture.hpp"
#include "queue/mirror.hpp"
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

// What the kernel could not write it takes for clean, and never writes.
TEST(MirrorOrder, AFileWhoseSyncHasFailedIsRemovedDurably) {
  const TemporaryDirectory directory;
  RecordedDisk disk(directory.path());
  Mirror mirror(directory.path() / "mirror");
  mirror.put(1, {10});
  mirror.put(2, {20});
  const std::size_t before = disk.position();
  disk.fail_syncs(1);
  mirror.erase(std::array<Mirror::Key, 1>{1});
  EXPECT_FALSE(mirror.contains(1));
  std::vector<Kind> kinds;
  for (std::size_t i = before; i < disk.position(); ++i) kinds.push_back(disk.operations()[i].kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::write, Kind::failed_sync, Kind::remove, Kind::sync_folder}));
  mirror.put(3, {30});
  Mirror again(directory.path() / "mirror");
  again.load();
  EXPECT_EQ(again.keys(0, 9), (std::vector<Mirror::Key>{2, 3})) << "the rest is still known";
}

}  // namespace
}  // namespace sluice::queue
