// What control groups say of CPU time.
#include "base/cpu_limit.h"

#include <gtest/gtest.h>

#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class CpuLimit : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((folder_.path() / file).parent_path());
    testing::write_bytes(folder_.path() / file, text);
  }
  std::optional<int> limit() const { return cpu_limit(folder_.path()); }

  testing::TemporaryFolder folder_;
};

TEST_F(CpuLimit, IsNotThereWhereNothingTells) {
  EXPECT_EQ(limit(), std::nullopt);
  write("proc/self/cgroup", "0::/a\n");
  write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  EXPECT_EQ(limit(), std::nullopt);
}

TEST_F(CpuLimit, IsTheLeastOfTheGroupAndThoseAboveIt) {
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(limit(), 4);
  write("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(limit(), 2) << "a part of a CPU counts as one";
  write("sys/fs/cgroup/cpu.max", "10000 100000\n");
  EXPECT_EQ(limit(), 1);
}

TEST_F(CpuLimit, HeedsTheOlderGroups) {
  write("proc/self/cgroup", "4:cpu,cpuacct:/jobs/x\n3:cpuset:/\n0::/\n");
  write("sys/fs/cgroup/cpu,cpuacct/jobs/x/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/jobs/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), std::nullopt);
  write("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "150000\n");
  write("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(limit(), 3);
}

TEST_F(CpuLimit, IsFoundWhereTheTreeIsOfAContainer) {
  write("proc/self/cgroup", "4:cpu:/docker/0123\n");  // the host's path, which the container does not see
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CpuLimit, DamagedNumbersAreNone) {
  write("proc/self/cgroup", "0::/\n");
  for (const char* text : {"", "x y\n", "100000\n", "0 100000\n", "100000 0\n", "1e300 1\n", "-5 100000\n"}) {
    write("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(limit(), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace sdgen
