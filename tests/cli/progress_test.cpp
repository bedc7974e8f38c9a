#include "cli/progress.h"

#include <gtest/gtest.h>

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

const RunProgress kHalf{15, 30, 45, 90, 0.125, 65.0};

TEST(BarText, TellsStepSpeedAndTimeLeftOfTheRun) {
  const std::string text = bar_text(kHalf, 80);
  EXPECT_TRUE(contains(text, " 50% [")) << text;
  EXPECT_TRUE(contains(text, "step 15/30")) << text;
  EXPECT_TRUE(contains(text, "8.00 it/s")) << text;
  EXPECT_TRUE(contains(text, "1:05 left")) << text;
}

TEST(BarText, NeverFillsTheLine) {
  for (std::size_t columns = 0; columns < 200; ++columns)
    EXPECT_LE(bar_text(kHalf, columns).size(), columns > 0 ? columns - 1 : 0) << columns;
}

TEST(BarText, SlowStepsAreSecondsAStep) {
  EXPECT_TRUE(contains(bar_text({1, 30, 1, 30, 2.5, 72.5}, 100), "2.50 s/it"));
}

TEST(BarText, MoreStepsThanPlannedStayInTheBar) {
  EXPECT_TRUE(contains(bar_text({31, 30, 31, 30, 0.1, 0.0}, 80), "100% ["));
  EXPECT_TRUE(contains(bar_text({}, 80), "  0% ["));
}

TEST(BarText, BeforeTheFirstStepIsOverThereIsNoSpeedAndNoTime) {
  const std::string text = bar_text({0, 30, 0, 30, 0.0, -1.0}, 80);
  EXPECT_TRUE(contains(text, "  0% [....")) << text;
  EXPECT_TRUE(text.ends_with("] step 0/30")) << text;
  EXPECT_TRUE(bar_text({0, 30, 0, 30, 0.0, 95.0}, 80).ends_with(" step 0/30, 1:35 left"));
}

TEST(WorkText, TellsWhatIsLoadedAndHowMuchOfIt) {
  constexpr std::uint64_t kGibi = std::uint64_t{1} << 30;
  EXPECT_EQ(work_text({"load", "unet", kGibi / 4, 2 * kGibi, {}, 0}),
            "loading unet: 256 MiB of 2.0 GiB (12%)");
  EXPECT_EQ(work_text({"load", "vae", 9, 8, {}, 0}), "loading vae: 0 MiB of 0 MiB (100%)");
  EXPECT_EQ(work_text({"load", "controlnet canny", 0, 0, {}, 0}), "loading controlnet canny");
  EXPECT_EQ(work_text({"text_encode", "", 3, 0, {}, 0}), "encoding the text");
  EXPECT_EQ(work_text({"decode", "", 0, 0, {}, 0}), "decoding");
}

TEST(StepPart, IsThatOfTheLayersAndNeverWhole) {
  EXPECT_EQ(step_part({"denoise_step", "", 30, 120, {}, 1}), 0.25);
  EXPECT_EQ(step_part({"denoise_step", "", 130, 120, {}, 1}), 0.99);
  EXPECT_EQ(step_part({"denoise_step", "", 3, 0, {}, 1}), 0.0);
  EXPECT_EQ(step_part({"decode", "", 30, 120, {}, 1}), 0.0);
}

TEST(ClockText, ReadsAsAClock) {
  EXPECT_EQ(clock_text(0.0), "0:00");
  EXPECT_EQ(clock_text(6.2), "0:07");
  EXPECT_EQ(clock_text(754.0), "12:34");
  EXPECT_EQ(clock_text(3723.0), "1:02:03");
  EXPECT_EQ(clock_text(-1.0), "0:00");
}

}  // namespace
}  // namespace sdgen::cli
