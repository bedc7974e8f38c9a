// What the system, a control group and a GPU build say of memory.
#include "base/memory.h"

#include <gtest/gtest.h>

#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class AvailableMemory : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root() / file).parent_path());
    testing::write_bytes(root() / file, text);
  }
  fs::path root() const { return folder_.path(); }
  std::optional<std::uint64_t> available() const { return available_memory_bytes(at::kCPU, root()); }

  testing::TemporaryFolder folder_;
};

TEST_F(AvailableMemory, IsWhatTheSystemSays) {
  write("proc/meminfo", "MemTotal:       16000 kB\nMemAvailable:    9000 kB\n");
  EXPECT_EQ(available(), 9000u * 1024);
}

TEST_F(AvailableMemory, HeedsTheGroupAndThoseAboveIt) {
  write("proc/meminfo", "MemAvailable:    9000 kB\n");
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "100\n");
  EXPECT_EQ(available(), 9000u * 1024);
  write("sys/fs/cgroup/a/memory.max", "5000000\n");
  write("sys/fs/cgroup/a/memory.current", "3000000\n");
  EXPECT_EQ(available(), 2'000'000u);
  write("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 500000\n");
  EXPECT_EQ(available(), 2'500'000u) << "file pages are given back when asked for";
}

TEST_F(AvailableMemory, HeedsTheOlderGroups) {
  write("proc/meminfo", "MemAvailable:    9000 kB\n");
  write("proc/self/cgroup", "5:cpu:/\n4:memory:/jobs/x\n0::/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "4000000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "4100000\n");
  EXPECT_EQ(available(), 0u);
}

TEST_F(AvailableMemory, IsUnknownWhereNothingTells) {
  EXPECT_EQ(available(), std::nullopt);
}

TEST(AvailableMemoryHere, IsTold) {
  EXPECT_GT(available_memory_bytes(at::kCPU).value_or(0), std::uint64_t{1} << 20);
}

}  // namespace
}  // namespace sdgen
