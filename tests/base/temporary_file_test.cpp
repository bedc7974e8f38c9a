#include "base/temporary_file.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "support/safetensors_file.h"

namespace sdgen {
namespace {

TEST(TemporaryFile, AReplacedFileKeepsItsMode) {
  const testing::TemporaryFolder folder;
  const auto target = folder.path() / "private.png";
  std::ofstream(target) << "old";
  for (const mode_t mode : {0600U, 0640U, 0400U}) {
    ASSERT_EQ(::chmod(target.c_str(), mode), 0);
    TemporaryFile file(target);
    file.write("new", 3);
    file.flush_and_close();
    file.replace();
    struct stat now = {};
    ASSERT_EQ(::stat(target.c_str(), &now), 0);
    EXPECT_EQ(now.st_mode & 0777, mode);
  }
}

TEST(TemporaryFile, AReplacedFileKeepsItsOwnerAndGroup) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const testing::TemporaryFolder folder;
  const auto target = folder.path() / "private.png";
  std::ofstream(target) << "old";
  ASSERT_EQ(::chown(target.c_str(), 12345, 54321), 0);
  ASSERT_EQ(::chmod(target.c_str(), 0640), 0);
  TemporaryFile file(target);
  file.write("new", 3);
  file.flush_and_close();
  file.replace();
  struct stat now = {};
  ASSERT_EQ(::stat(target.c_str(), &now), 0);
  EXPECT_EQ(now.st_uid, 12345U);
  EXPECT_EQ(now.st_gid, 54321U);
  EXPECT_EQ(now.st_mode & 0777, 0640U);
}

// As somebody who may write into the folder but can give no file away: in a process of its own.
TEST(TemporaryFile, WhoCannotKeepTheGroupGivesItNoMoreThanEverybody) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may become somebody else";
  const testing::TemporaryFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  const auto target = folder.path() / "shared.png";
  for (const auto& [before, after] : {std::pair<mode_t, mode_t>{0664, 0644}, {0660, 0600}, {0604, 0604}}) {
    std::ofstream(target) << "old";
    ASSERT_EQ(::chown(target.c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod(target.c_str(), before), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setgid(54321) != 0 || ::setuid(12345) != 0) ::_exit(1);
      TemporaryFile file(target);
      file.write("new", 3);
      file.flush_and_close();
      file.replace();
      ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
    struct stat now = {};
    ASSERT_EQ(::stat(target.c_str(), &now), 0);
    EXPECT_EQ(now.st_gid, 54321U);
    EXPECT_EQ(now.st_mode & 0777, after);
    std::filesystem::remove(target);
  }
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(TemporaryFile, IsNotOpenToMoreThanTheOldFileWhileItIsWritten) {
  const testing::TemporaryFolder folder;
  const auto target = folder.path() / "private.png";
  std::ofstream(target) << "old";
  ASSERT_EQ(::chmod(target.c_str(), 0600), 0);
  const TemporaryFile file(target);
  for (const std::string& name : names_in(folder.path())) {
    struct stat now = {};
    ASSERT_EQ(::stat((folder.path() / name).c_str(), &now), 0);
    EXPECT_EQ(now.st_mode & 077, 0U) << name;
  }
}

// A process that begins a file in `folder` and waits; returns when it has begun.
pid_t begin_a_file(const std::filesystem::path& folder) {
  const std::size_t before = names_in(folder).size();
  const pid_t child = ::fork();
  if (child == 0) {
    TemporaryFile file(folder / "x.png");
    file.write("half", 4);
    for (;;) ::pause();
  }
  while (names_in(folder).size() == before) ::usleep(1000);
  return child;
}

void end(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

void write_whole(const std::filesystem::path& path) {
  TemporaryFile file(path);
  file.write("new", 3);
  file.flush_and_close();
  file.create();
}

TEST(TemporaryFile, WhatAKilledProcessLeftGoesWithTheNextFile) {
  const testing::TemporaryFolder folder;
  end(begin_a_file(folder.path()));
  ASSERT_EQ(names_in(folder.path()).size(), 1U);
  write_whole(folder.path() / "y.png");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"y.png"});
}

TEST(TemporaryFile, WhatAnotherProcessIsWritingStays) {
  const testing::TemporaryFolder folder;
  const pid_t child = begin_a_file(folder.path());
  write_whole(folder.path() / "y.png");
  EXPECT_EQ(names_in(folder.path()).size(), 2U);
  end(child);
}

TEST(TemporaryFile, OnlyOurOwnLeftoversGo) {
  const testing::TemporaryFolder folder;
  const pid_t ended = begin_a_file(folder.path());
  end(ended);
  const std::string id = std::to_string(ended);
  std::filesystem::remove(folder.path() / names_in(folder.path()).front());
  const std::vector<std::string> others = {
      ".sd-gen-" + id + "-0.tmp.png", ".sd-gen-" + id + "-.tmp", ".sd-gen-" + id + "-a.tmp",
      ".sd-gen-0" + id + "-0.tmp",    ".sd-gen--0.tmp",          "sd-gen-" + id + "-0.tmp",
      ".sd-gen-99999999999-0.tmp",    ".sd-gen-1-0.tmp"};
  for (const std::string& name : others) std::ofstream(folder.path() / name) << "mine";
  // Of another machine, say, where a process of that number is at work.
  const auto locked = folder.path() / (".sd-gen-" + id + "-7.tmp");
  std::ofstream(locked) << "theirs";
  const int fd = ::open(locked.c_str(), O_RDONLY);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  std::filesystem::create_symlink("mine", folder.path() / (".sd-gen-" + id + "-8.tmp"));
  std::filesystem::create_directory(folder.path() / (".sd-gen-" + id + "-9.tmp"));
  const auto before = names_in(folder.path());
  const auto left = folder.path() / (".sd-gen-" + id + "-10.tmp");
  std::ofstream(left) << "left";
  write_whole(folder.path() / "zz.png");
  auto expected = before;
  expected.push_back("zz.png");
  EXPECT_EQ(names_in(folder.path()), expected);
  ::close(fd);
}

}  // namespace
}  // namespace sdgen
