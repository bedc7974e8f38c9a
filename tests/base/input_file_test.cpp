#include "base/input_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "sdgen/error.h"
#include "support/safetensors_file.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

std::string refusal(const std::filesystem::path& path) {
  try {
    read_input(path, 10, "a test");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return std::string(error.what()).substr(path.string().size());
  }
  return "read";
}

TEST(InputFile, IsReadWholeUpToItsLimit) {
  const testing::TemporaryFolder folder;
  testing::write_bytes(folder.path() / "x", std::string("ten\0bytes!", 10));
  EXPECT_EQ(read_input(folder.path() / "x", 10, "a test"), std::string("ten\0bytes!", 10));
  testing::write_bytes(folder.path() / "x", "eleven bytes");
  EXPECT_EQ(refusal(folder.path() / "x"), ": 12 bytes are too many for a test (limit 10)");
}

TEST(InputFile, WhatIsNoOrdinaryFileIsRefusedAtOnce) {
  const testing::TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(refusal(pipe), ": is not a file, but a pipe, a device or the like");
  EXPECT_EQ(refusal("/dev/zero"), ": is not a file, but a pipe, a device or the like");
  EXPECT_EQ(refusal(folder.path()), ": is a folder, not a file");
  EXPECT_EQ(refusal(folder.path() / "none"), ": cannot be read: No such file or directory");
  EXPECT_THROW(open_weights_file(pipe), Error);
  EXPECT_THROW(open_weights_file("/dev/zero"), Error);
}

TEST(InputFile, ALinkThatLeadsNowhereIsThereAndNamedWithItsTarget) {
  const testing::TemporaryFolder folder;
  const auto link = folder.path() / "x";
  std::filesystem::create_symlink("blobs/0123", link);
  EXPECT_TRUE(is_there(link));
  EXPECT_EQ(refusal(link),
            ": a link to blobs/0123, which is not there; fetch the file again, or copy what the link should "
            "lead to");
}

TEST(InputFile, APathThatCannotBeLookedAtIsRefusedWhenItIsOpened) {
  const testing::TemporaryFolder folder;
  const auto loop = folder.path() / "loop", long_name = folder.path() / std::string(300, 'x');
  std::filesystem::create_symlink("loop", loop);
  for (const auto& path : {loop, long_name}) {
    EXPECT_TRUE(is_there(path));
    EXPECT_FALSE(is_folder(path));
    EXPECT_THROW(open_weights_file(path), Error);
  }
  EXPECT_FALSE(is_there(folder.path() / "none"));
  EXPECT_TRUE(is_there(folder.path()));
  EXPECT_TRUE(is_folder(folder.path()));
}

}  // namespace
}  // namespace sdgen
