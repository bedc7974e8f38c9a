#include "text/taught.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/prompt_words.h"

namespace sdgen {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Taught taught() {
  Taught taught;
  taught.words = {"a",      "and", "red", "cat",        "cats", "dog", "dogs",    "fire",
                  "engine", "bus", "on",  "background", "two",  "5",   "leopards"};
  taught.things = {{{"cat"}, "cat"},   {{"cats"}, "cat"},        {{"dog"}, "dog"},
                   {{"dogs"}, "dog"},  {{"bus"}, "bus"},         {{"fire", "engine"}, "fire engine"},
                   {{"fire"}, "fire"}, {{"leopards"}, "leopard"}};
  taught.coloured = {"cat", "bus"};
  taught.colours = {"red"};
  taught.too_many = {"six"};
  taught.most_of_a_kind = 5;
  taught.most_kinds = 3;
  taught.sizes = {{128, 128}, {192, 128}};
  taught.untaught_signs = "!?\u2026";
  return taught;
}

std::vector<std::string> beyond(const std::string& text) {
  return beyond_taught(taught(), prompt_words(text));
}

TEST(Taught, WhatIsWithinItIsNotTold) {
  EXPECT_THAT(beyond("Two red cats, a DOG and 5 dogs on a red background!"), IsEmpty());
}

TEST(Taught, UnknownWordsComeWithTheNearestKnownOne) {
  EXPECT_THAT(
      beyond("a kat and a zebra, leopardz"),
      ElementsAre("was not taught: kat (did you mean cat?), zebra, leopardz (did you mean leopards?); "
                  "`sd-gen words` lists what it knows"));
}

TEST(Taught, WordsThatAreEquallyNearAreAllTold) {
  Taught more = taught();
  more.things[{"bat"}] = "bat";
  EXPECT_THAT(
      beyond_taught(more, prompt_words("a kat")),
      ElementsAre("was not taught: kat (did you mean bat or cat?); `sd-gen words` lists what it knows"));
}

TEST(Taught, HigherNumbersAreTold) {
  EXPECT_THAT(beyond("six cats and 12 dogs"), ElementsAre("counts to 5, not to six, 12"));
  EXPECT_THAT(beyond("5 cats and 05 dogs"),
              ElementsAre("was not taught: 05 (did you mean 5?); `sd-gen words` lists what it knows"));
}

TEST(Taught, AColourOfWhatTakesNoneIsTold) {
  EXPECT_THAT(beyond("a red dog, a red fire engine, a red cat, a red bus"),
              ElementsAre("draws these in their own colours only: dog, fire engine"));
}

TEST(Taught, TooManyKindsAreTold) {
  const auto kinds = [](const std::string& text) { return too_many_kinds(taught(), prompt_words(text)); };
  EXPECT_EQ(kinds("a cat, cats, a dog and a fire engine"), "");
  EXPECT_EQ(kinds("a cat, a dog, a bus and a fire engine"),
            "draws at most 3 kinds of things at a time, not 4: cat, dog, bus, fire engine");
}

TEST(Taught, OtherSizesAreTold) {
  EXPECT_EQ(unusual_size(taught(), 192, 128), "");
  EXPECT_EQ(unusual_size(taught(), 512, 512), "was taught pictures of 128x128, 192x128 pixels, not 512x512");
}

TEST(Taught, SignsBecomeSpacesAndWordsStayWhereTheyAre) {
  EXPECT_EQ(without_untaught_signs(taught(), "Ein Bär\u2026 a cat?!, a dog."), "Ein Bär    a cat  , a dog.");
}

TEST(Taught, OfAModelThatTellsNothingNothingIsSaid) {
  EXPECT_THAT(beyond_taught({}, prompt_words("seven red kats")), IsEmpty());
  EXPECT_EQ(too_many_kinds({}, prompt_words("a cat, a dog, a bus, a fire")), "");
  EXPECT_EQ(unusual_size({}, 512, 512), "");
  EXPECT_EQ(without_untaught_signs({}, "a cat!"), "a cat!");
}

}  // namespace
}  // namespace sdgen
