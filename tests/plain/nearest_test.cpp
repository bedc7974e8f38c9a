#include "plain/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace sdgen {
namespace {

TEST(EditDistance, CountsCharacters) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("кот", "кит"), 1u) << "not bytes";
}

TEST(NearestOf, IsTheFirstOfTheLeastDistanceOrNone) {
  const std::vector<std::string> known = {"cats", "cat", "bat"};
  EXPECT_EQ(nearest_of("kat", known, 1), "cat");
  EXPECT_EQ(nearest_of("kat", known, 2), "cat");
  EXPECT_EQ(nearest_of("zebra", known, 2), "");
  EXPECT_EQ(nearest_of("kats", known, 1), "cats");
  EXPECT_EQ(all_nearest_of("kat", known, 2), (std::vector<std::string>{"cat", "bat"}));
  EXPECT_TRUE(all_nearest_of("zebra", known, 2).empty());
}

}  // namespace
}  // namespace sdgen
