// SPDX-License-Identifier: Apache-2.0
#include "file/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "plugins/settings_table.hpp"
#include "plugins/temporary_folder.hpp"

namespace {

using file::Journal;
using file::JournalError;
using plugin_test::content;
using plugin_test::TemporaryFolder;
using ::testing::HasSubstr;

std::string refusal(Journal& journal, std::string_view lines) {
  try {
    journal.append(lines);
  } catch (const JournalError& error) {
    return error.what();
  }
  return "";
}

// No file of this process may grow beyond so many bytes: a write that would is cut short, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_;
};

TEST(Journal, AppendsToWhatIsThereAlsoAfterARestart) {
  const TemporaryFolder folder;
  const std::string path = folder.file("j");
  for (const char* line : {"one\n", "two\n"}) {
    Journal journal(path);
    journal.append(line);
    journal.append("more\n");
  }
  EXPECT_EQ(content(path), "one\nmore\ntwo\nmore\n");
}

TEST(Journal, FindsTheFileAnewWhenItWasMovedAway) {
  const TemporaryFolder folder;
  const std::string path = folder.file("j");
  Journal journal(path);
  journal.append("old\n");
  ASSERT_EQ(::rename(path.c_str(), folder.file("j.1").c_str()), 0);
  journal.append("new\n");
  EXPECT_EQ(content(folder.file("j.1")), "old\n");
  EXPECT_EQ(content(path), "new\n");
  ASSERT_EQ(::unlink(path.c_str()), 0);
  journal.append("newer\n");
  EXPECT_EQ(content(path), "newer\n");
  EXPECT_EQ(journal.reopened(), 2u);
}

TEST(Journal, GoesOnAtTheBeginningWhenTheFileWasTruncated) {
  const TemporaryFolder folder;
  const std::string path = folder.file("j");
  Journal journal(path);
  journal.append("old\n");
  ASSERT_EQ(::truncate(path.c_str(), 0), 0);
  journal.append("new\n");
  EXPECT_EQ(content(path), "new\n");
}

TEST(Journal, LeavesNoPartOfAnAppendThatWasCutShort) {
  const TemporaryFolder folder;
  const std::string path = folder.file("j");
  Journal journal(path);
  journal.append("kept\n");
  {
    const FileSizeLimit limit(10);
    EXPECT_THAT(refusal(journal, "too long for it\n"), HasSubstr("cannot be written"));
    EXPECT_EQ(content(path), "kept\n");
    EXPECT_EQ(refusal(journal, "fits\n"), "");
  }
  EXPECT_EQ(refusal(journal, "again\n"), "");
  EXPECT_EQ(content(path), "kept\nfits\nagain\n");
}

TEST(Journal, LeavesNoPartOfAnAppendToAFullDisk) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small file system";
  const TemporaryFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "no file system can be mounted here";
  {
    const std::string path = folder.file("j");
    Journal journal(path);
    journal.append("kept\n");
    EXPECT_THAT(refusal(journal, std::string(100'000, 'x') + "\n"), HasSubstr("No space left on device"));
    EXPECT_EQ(content(path), "kept\n");
    EXPECT_EQ(refusal(journal, "small\n"), "");
    EXPECT_EQ(content(path), "kept\nsmall\n");
  }
  ::umount2(folder.path().c_str(), MNT_DETACH);
}

TEST(Journal, TakesBackTheLastAppend) {
  const TemporaryFolder folder;
  Journal journal(folder.file("j"));
  journal.append("kept\n");
  journal.append("gone\n");
  journal.take_back();
  journal.append("next\n");
  EXPECT_EQ(content(folder.file("j")), "kept\nnext\n");
}

TEST(Journal, EndsALineThatACrashLeftUnfinished) {
  const TemporaryFolder folder;
  const std::string path = folder.file("j");
  std::ofstream(path) << "whole\n{\"torn";
  Journal journal(path);
  journal.append("next\n");
  EXPECT_EQ(content(path), "whole\n{\"torn\nnext\n");
  EXPECT_EQ(journal.torn_lines(), 1u);
}

TEST(Journal, IsSyncedAfterASyncAndNotAfterAnAppend) {
  const TemporaryFolder folder;
  Journal journal(folder.file("j"));
  EXPECT_TRUE(journal.synced());
  journal.append("a\n");
  EXPECT_FALSE(journal.synced());
  journal.sync();
  EXPECT_TRUE(journal.synced());
}

TEST(Journal, BelongsToOneWriterAtATime) {
  const TemporaryFolder folder;
  const std::string path = folder.file("j");
  std::optional<Journal> first(std::in_place, path);
  first->append("first\n");
  Journal second(path);
  EXPECT_THAT(refusal(second, "second\n"), HasSubstr("another instance or program"));
  first.reset();
  EXPECT_EQ(refusal(second, "second\n"), "");
  EXPECT_EQ(content(path), "first\nsecond\n");
}

TEST(Journal, SaysWhatIsWrongWithThePath) {
  const TemporaryFolder folder;
  Journal nowhere(folder.file("missing/j"));
  EXPECT_THAT(refusal(nowhere, "x\n"), HasSubstr("its folder does not exist"));
  Journal directory(folder.path());
  EXPECT_THAT(refusal(directory, "x\n"), HasSubstr("cannot be opened"));
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  Journal pipe(folder.file("pipe"));
  EXPECT_THAT(refusal(pipe, "x\n"), HasSubstr("expected a regular file"));
}

}  // namespace
