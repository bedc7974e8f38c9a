#include "models/taught_file.h"

#include <gtest/gtest.h>

#include "sdgen/error.h"

namespace sdgen {
namespace {

Taught read(const char* text) {
  return read_taught({"model/sdgen.json", Json::parse(text)});
}

std::string refusal(const char* text) {
  try {
    read(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "";
}

TEST(TaughtFile, ReadsAllThatItTells) {
  const Taught taught =
      read(R"({"words": ["A", "Cat"], "things": {"cat": ["cat", "tabby Cat"]}, "coloured": ["cat"],
    "colours": ["red"], "too_many": ["six"], "most_of_a_kind": 5, "most_kinds": 3, "sizes": [[128, 64]],
    "untaught_signs": "!?"})");
  EXPECT_EQ(taught.words, (std::set<std::string>{"a", "cat"}));
  EXPECT_EQ(taught.things.at({"tabby", "cat"}), "cat");
  EXPECT_TRUE(taught.coloured.contains("cat"));
  EXPECT_TRUE(taught.colours.contains("red"));
  EXPECT_TRUE(taught.too_many.contains("six"));
  EXPECT_EQ(taught.most_of_a_kind, 5);
  EXPECT_EQ(taught.most_kinds, 3);
  EXPECT_EQ(taught.sizes, (std::vector<std::pair<int, int>>{{128, 64}}));
  EXPECT_EQ(taught.untaught_signs, "!?");
}

TEST(TaughtFile, MayTellNothing) {
  const Taught taught = read("{}");
  EXPECT_TRUE(taught.words.empty());
  EXPECT_EQ(taught.most_kinds, 0);
}

TEST(TaughtFile, WrongValuesAreNamed) {
  const std::string file = "model/sdgen.json: key ";
  EXPECT_EQ(refusal(R"({"words": "a red cat"})"), file + "'words': expected a list of words");
  EXPECT_EQ(refusal(R"({"coloured": ["a", 1]})"), file + "'coloured': expected a list of words");
  EXPECT_EQ(refusal(R"({"sizes": [[64]]})"), file + "'sizes': expected a list of [width, height]");
  EXPECT_EQ(refusal(R"({"sizes": [[2, 64]]})"), file + "'sizes' is 2; expected 8 to 65536");
  EXPECT_EQ(refusal(R"({"things": ["cat"]})"),
            file + "'things': expected the names of each thing by the thing");
  EXPECT_EQ(refusal(R"({"things": {"cat": [7]}})"), file + "'things': expected a list of words");
  EXPECT_EQ(refusal(R"({"most_of_a_kind": -1})"), file + "'most_of_a_kind' is -1; expected 0 to 1000");
  EXPECT_EQ(refusal(R"({"untaught_signs": 3})"), file + "'untaught_signs' has the unusable value 3");
}

}  // namespace
}  // namespace sdgen
