// What benchmarks ask of the machine.
#include "sdgen/measure.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "compute/compute.h"

namespace sdgen {
namespace {

TEST(ForgetPeakMemory, LeavesWhatIsHeldNow) {
  constexpr std::uint64_t kBytes = std::uint64_t{200} << 20;
  { const at::Tensor large = at::ones({static_cast<std::int64_t>(kBytes)}, at::kByte); }
  const std::uint64_t before = peak_memory_bytes();
  ASSERT_GT(before, kBytes);
  if (!forget_peak_memory()) GTEST_SKIP() << "this system does not let us";
  EXPECT_LT(peak_memory_bytes(), before - kBytes / 2);
}

}  // namespace
}  // namespace sdgen
