// Folders that convert makes: whole, or not at all.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "models/convert_parts.h"
#include "plain/errors.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class NewFolders : public ::testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }

  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_.path())) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

  // A model of one file that says whose it is.
  static void fill(const fs::path& folder, const std::string& whose) {
    std::ofstream(folder / "model_index.json") << whose;
  }
  static std::string whose(const fs::path& folder) {
    std::string text;
    std::ifstream(folder / "model_index.json") >> text;
    return text;
  }

  static std::string failure(NewFolder& folder) {
    try {
      folder.finish();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  testing::TemporaryFolder folder_;
};

using Names = std::vector<std::string>;

TEST_F(NewFolders, OfTwoConversionsAtOnceTheFirstToEndWins) {
  NewFolder one(path("model"), /*overwrite=*/false);
  {
    NewFolder other(path("model"), /*overwrite=*/false);
    fill(one.path(), "one");
    fill(other.path(), "other");
    one.finish();
    EXPECT_NE(failure(other).find("already exists"), std::string::npos);
  }
  EXPECT_EQ(whose(path("model")), "one");
  EXPECT_EQ(names(), Names{"model"});
}

TEST_F(NewFolders, OfTwoThatOverwriteTheLastToEndWins) {
  NewFolder one(path("model"), /*overwrite=*/true), other(path("model"), /*overwrite=*/true);
  fill(one.path(), "one");
  fill(other.path(), "other");
  one.finish();
  other.finish();
  EXPECT_EQ(whose(path("model")), "other");
  EXPECT_EQ(names(), Names{"model"});
}

TEST_F(NewFolders, AModelStaysWhereTheNewOneCannotTakeItsName) {
  fs::create_directory(path("model"));
  fill(path("model"), "old");
  {
    NewFolder folder(path("model"), /*overwrite=*/true);
    fs::remove_all(folder.path());
    EXPECT_NE(failure(folder).find("cannot be written"), std::string::npos);
  }
  EXPECT_EQ(whose(path("model")), "old");
  EXPECT_EQ(names(), Names{"model"});
}

TEST_F(NewFolders, WhatTookTheNameMeanwhileAndIsNoModelStays) {
  for (const bool overwrite : {false, true}) {
    NewFolder folder(path("model"), overwrite);
    fill(folder.path(), "new");
    std::ofstream(path("model")) << "a thesis";
    EXPECT_NE(failure(folder), "");
    EXPECT_TRUE(fs::is_regular_file(path("model")));
    fs::remove(path("model"));
  }
  EXPECT_EQ(names(), Names{});
}

// A process that begins a folder by the name of `target` and waits; returns when it has filled it.
pid_t begin_a_folder(const fs::path& target) {
  const fs::path filled = target.parent_path() / "filled";
  const pid_t child = ::fork();
  if (child == 0) {
    const NewFolder folder(target, /*overwrite=*/false);
    std::ofstream(folder.path() / "model_index.json") << "{}";
    std::ofstream(filled).flush();
    for (;;) ::pause();
  }
  while (!fs::exists(filled)) ::usleep(1000);
  fs::remove(filled);
  return child;
}

void end(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(NewFolders, WhatAKilledProcessLeftGoesWithTheNextFolder) {
  end(begin_a_folder(path("one")));
  ASSERT_EQ(names().size(), 1U);
  NewFolder(path("two"), /*overwrite=*/false).finish();
  EXPECT_EQ(names(), Names{"two"});
}

TEST_F(NewFolders, WhatAnotherProcessIsMakingStays) {
  const pid_t child = begin_a_folder(path("one"));
  NewFolder(path("two"), /*overwrite=*/false).finish();
  EXPECT_EQ(names().size(), 2U);
  end(child);
}

TEST_F(NewFolders, OnlyOurOwnLeftoversGo) {
  const pid_t ended = begin_a_folder(path("one"));
  end(ended);
  const std::string left = names().front(), id = std::to_string(ended);
  Names others = {".sd-gen-" + id + "-0.tmp.mine", "one." + id + ".tmp", "sd-gen-" + id + "-0.tmp",
                  ".sd-gen-1-0.tmp"};
  for (const std::string& name : others) fs::create_directory(path(name));
  // (Far beyond the numbers that this process has used itself.) Of another machine, say, where a process of
  // that number is at work.
  others.push_back(".sd-gen-" + id + "-107.tmp");
  fs::create_directory(path(others.back()));
  const int fd = ::open(path(others.back()).c_str(), O_RDONLY);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  others.push_back(".sd-gen-" + id + "-108.tmp");
  fs::create_directory_symlink(path("one." + id + ".tmp"), path(others.back()));
  others.push_back(".sd-gen-" + id + "-109.tmp");
  std::ofstream(path(others.back())) << "a file";
  NewFolder(path("two"), /*overwrite=*/false).finish();
  others.push_back("two");
  std::sort(others.begin(), others.end());
  EXPECT_EQ(names(), others);
  EXPECT_FALSE(fs::exists(path(left)));
  ::close(fd);
}

}  // namespace
}  // namespace sdgen
