// Times of steps, and rows that stop being finite.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/finite_rows.h"
#include "compute/step_clock.h"

namespace sdgen {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Latents [3, 2, 4, 4]; `value` in one number of the rows given.
Tensor latents(const std::vector<std::int64_t>& rows, float value) {
  const Tensor x = at::ones({3, 2, 4, 4});
  for (const std::int64_t row : rows) x[row][1][2][3].fill_(value);
  return x;
}

TEST(StepClock, OnTheCpuAStepIsDoneWhenItIsGiven) {
  StepClock clock(Compute{});
  EXPECT_EQ(clock.lead(), 0u);
  for (int i = 0; i < 3; ++i) {
    clock.begin_step();
    EXPECT_EQ(clock.pending(), 0u);
    clock.end_step();
    ASSERT_EQ(clock.pending(), 1u);
    EXPECT_GE(clock.take(), 0.0);
  }
}

TEST(StepClock, ADelayBetweenStepsIsNoneOfTheirs) {
  StepClock clock(Compute{});
  clock.begin_step();
  clock.end_step();
  const Stopwatch stopwatch;
  while (stopwatch.seconds() < 0.02) {
  }
  EXPECT_LT(clock.take(), 0.02);
}

TEST(FiniteRows, NotesTheFirstStepOfEachRow) {
  FiniteRows rows(3, at::kCPU);
  rows.look(latents({}, 0), 1);
  rows.look(latents({1}, kNan), 2);
  rows.look(latents({1}, kNan), 3);
  EXPECT_FALSE(rows.none_left());
  EXPECT_EQ(rows.failed_steps(), (std::vector<int>{0, 2, 0}));
  rows.look(latents({0, 1, 2}, -kInfinity), 4);
  EXPECT_TRUE(rows.none_left());
  EXPECT_EQ(rows.failed_steps(), (std::vector<int>{4, 2, 4}));
}

// What a GPU keeps while it works, here on the CPU.
TEST(FiniteRows, TheDevicesNotesAreTheSame) {
  Tensor failed = at::zeros({3}, at::kInt);
  FiniteRows rows(3, at::kCPU);
  const std::vector<Tensor> steps = {latents({}, 0), latents({2}, kInfinity), latents({0, 2}, kNan),
                                     latents({}, 0) * std::numeric_limits<float>::max(),  // its sum overflows
                                     latents({0, 1, 2}, kNan)};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    failed = with_failed_rows(failed, steps[i], static_cast<int>(i) + 1);
    rows.look(steps[i], static_cast<int>(i) + 1);
    const std::vector<int> noted(failed.const_data_ptr<int>(), failed.const_data_ptr<int>() + 3);
    EXPECT_EQ(noted, rows.failed_steps()) << "step " << i + 1;
  }
  EXPECT_EQ(rows.failed_steps(), (std::vector<int>{3, 5, 2}));
}

}  // namespace
}  // namespace sdgen
