#include "cli/options/nearest.h"

#include <gtest/gtest.h>

namespace sdgen::cli {
namespace {

const std::vector<std::string> kKnown = {"seed", "steps", "negative-prompt", "width", "cfg-scale"};

TEST(NearestName, FindsSlipsOfTheKeyboard) {
  EXPECT_EQ(nearest_name("sede", kKnown), "seed");
  EXPECT_EQ(nearest_name("stepz", kKnown), "steps");
  EXPECT_EQ(nearest_name("negative_prompt", kKnown), "negative-prompt");
  EXPECT_EQ(nearest_name("Width", kKnown), "width");
}

TEST(NearestName, FindsAUniqueBeginning) {
  EXPECT_EQ(nearest_name("neg", kKnown), "negative-prompt");
  EXPECT_EQ(nearest_name("s", kKnown), "");
}

TEST(NearestName, OffersNothingFarAway) {
  EXPECT_EQ(nearest_name("highly", kKnown), "");
  EXPECT_EQ(nearest_name("", kKnown), "");
  EXPECT_EQ(nearest_name("seed", {}), "");
}

TEST(HintAndList, NamesTheNearestFirst) {
  EXPECT_EQ(hint_and_list("seet", {"seed", "eta"}, "known"), "; did you mean seed? known: seed, eta");
  EXPECT_EQ(hint_and_list("zzzzzz", {"seed", "eta"}, "known"), "; known: seed, eta");
}

}  // namespace
}  // namespace sdgen::cli
