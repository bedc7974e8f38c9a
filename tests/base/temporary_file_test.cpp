#include "base/temporary_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

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

}  // namespace
}  // namespace sdgen
