#include "cli/commands/statistics.h"

#include <gtest/gtest.h>

namespace sdgen::cli {
namespace {

TEST(Summarise, OddCountTakesTheMiddle) {
  const Summary summary = summarise({5.0, 1.0, 3.0});
  EXPECT_EQ(summary.median, 3.0);
  EXPECT_EQ(summary.min, 1.0);
  EXPECT_EQ(summary.max, 5.0);
  EXPECT_EQ(summary.n, 3u);
}

TEST(Summarise, EvenCountTakesTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(summarise({4.0, 1.0, 2.0, 100.0}).median, 3.0);
}

TEST(Summarise, OneSampleIsItsOwnSummary) {
  const Summary summary = summarise({2.5});
  EXPECT_EQ(summary.median, 2.5);
  EXPECT_EQ(summary.min, summary.max);
}

TEST(Summarise, NoSamplesAreZeros) {
  const Summary summary = summarise({});
  EXPECT_EQ(summary.n, 0u);
  EXPECT_EQ(summary.median, 0.0);
}

}  // namespace
}  // namespace sdgen::cli
