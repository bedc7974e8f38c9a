#include "cli/options/input_text.h"

#include <sys/stat.h>

#include <thread>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

std::string refusal(const std::string& path) {
  return error_of(ErrorKind::kInput, [&] { read_text(path, "file x", 10); });
}

TEST(InputText, IsReadUpToItsLimit) {
  const ScratchFolder folder;
  folder.write("x", "ten bytes!");
  EXPECT_EQ(read_text("x", "file x", 10), "ten bytes!");
  folder.write("x", "");
  EXPECT_EQ(read_text("x", "file x", 10), "");
  folder.write("x", "eleven byte");
  EXPECT_EQ(refusal("x"), "file x has more than 10 bytes (the limit)");
}

TEST(InputText, APipeIsReadToItsEnd) {
  const ScratchFolder folder;
  ASSERT_EQ(::mkfifo("pipe", 0600), 0);
  std::thread writer([&] { folder.write("pipe", "a cat"); });
  EXPECT_EQ(read_text("pipe", "file x", 10), "a cat");
  writer.join();
}

TEST(InputText, WhatCannotBeReadToItsEndIsRefused) {
  EXPECT_EQ(refusal("."), "file x is a folder");
  EXPECT_EQ(refusal("/dev/zero"), "file x has more than 10 bytes (the limit)");
  EXPECT_EQ(refusal("/proc/self/mem"), "file x cannot be read: Input/output error");
  EXPECT_EQ(refusal("/nonexistent/x"), "file x cannot be opened: No such file or directory");
}

}  // namespace
}  // namespace sdgen::cli
