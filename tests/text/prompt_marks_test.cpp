// Marks of other programs' prompts.
#include "text/prompt_marks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sdgen {
namespace {

using ::testing::HasSubstr;
using Kind = PromptMark::Kind;

struct Case {
  std::string prompt;
  Kind kind;
  std::string text, instead;
};

struct Marked : ::testing::TestWithParam<Case> {};

TEST_P(Marked, IsFoundAndToldWhatToDoInstead) {
  const std::vector<PromptMark> marks = prompt_marks(GetParam().prompt);
  ASSERT_EQ(marks.size(), 1u) << GetParam().prompt;
  EXPECT_EQ(marks[0].kind, GetParam().kind);
  EXPECT_EQ(marks[0].text, GetParam().text);
  EXPECT_EQ(marks[0].instead, GetParam().instead);
}

const std::string kLines = "--prompt-file with a line for each";

INSTANTIATE_TEST_SUITE_P(
    PromptMarks, Marked,
    ::testing::Values(Case{"a (tulip:1.3) here", Kind::kWeight, "(tulip:1.3)", "--attend \"tulip:1.3\""},
                      Case{"a (blue tulip: .5 )", Kind::kWeight, "(blue tulip: .5 )",
                           "--attend \"blue tulip:.5\""},
                      Case{"(type 2:1.2)", Kind::kWeight, "(type 2:1.2)", "--attend \"type 2:1.2\""},
                      Case{"(tulip:2)", Kind::kWeight, "(tulip:2)", "--attend \"tulip:2\""},
                      Case{"((tulip:1.3))", Kind::kWeight, "(tulip:1.3)", "--attend \"tulip:1.3\""},
                      Case{"((tulip))", Kind::kStronger, "((tulip))", "--attend \"tulip:1.2\""},
                      Case{"(((tulip)))", Kind::kStronger, "((tulip))", "--attend \"tulip:1.2\""},
                      Case{"a [tulip]", Kind::kWeaker, "[tulip]", "--attend \"tulip:0.9\""},
                      Case{"a [[tulip]]", Kind::kWeaker, "[tulip]", "--attend \"tulip:0.9\""},
                      Case{"a [cat:dog:0.5]", Kind::kOverSteps, "[cat:dog:0.5]", ""},
                      Case{"a [cat:10]", Kind::kOverSteps, "[cat:10]", ""},
                      Case{"[cow|horse]", Kind::kOverSteps, "[cow|horse]", ""},
                      Case{"<lora:ink:0.8> a cat", Kind::kNetwork, "<lora:ink:0.8>", "--lora ink:0.8"},
                      Case{"<lora:ink>", Kind::kNetwork, "<lora:ink>", "--lora ink"},
                      Case{"<lyco:ink:1:0.5>", Kind::kNetwork, "<lyco:ink:1:0.5>", "--lora ink:1"},
                      Case{"<hypernet:x:1>", Kind::kNetwork, "<hypernet:x:1>", ""},
                      Case{"a cat BREAK a dog", Kind::kBreak, "BREAK", ""},
                      Case{"a cat, BREAK", Kind::kBreak, "BREAK", ""},
                      Case{"a cat AND a dog", Kind::kAnd, "AND", ""},
                      Case{"a __animal__ runs", Kind::kWildcard, "__animal__", kLines},
                      Case{"__pets/small-ones__", Kind::kWildcard, "__pets/small-ones__", kLines},
                      Case{"a {red|blue} cat", Kind::kChoice, "{red|blue}", kLines}));

struct Ordinary : ::testing::TestWithParam<std::string> {};

TEST_P(Ordinary, IsLeftAlone) {
  EXPECT_EQ(marks_warning({GetParam()}), "");
}

INSTANTIATE_TEST_SUITE_P(PromptMarks, Ordinary,
                         ::testing::Values("", "(a cat)", "10:30", "(at 10:30)", "(16:9)", "(ratio 2.35:1)",
                                           "a cat and a dog", "ROMEO AND JULIET", "a sign: STOP AND GO",
                                           "SPRING BREAK", "AND", "BREAK", "break the ice", "(a cat) (a dog)",
                                           "((a cat), a dog)", "a <cat-toy> here", "a < b > c", "[1]", "[]",
                                           "()", "snake_case and __", "___", "{cat}", "a|b",
                                           "\\(tulip:1.3\\)", "\\[tulip\\]", ":-)", ";(", "time: 3", "(",
                                           "((", "[", "<lora", "{a|", "__a", "сад (у дома)", "Q&A: why?",
                                           "brAND new"));

TEST(PromptMarks, AWarningTellsOneOfEachKindOnce) {
  const std::string warning =
      marks_warning({"a (cat:1.2) and a (dog:1.4)", "(bird:2.0) <lora:ink:0.5>", "a {a|b} __c__"});
  EXPECT_THAT(warning, HasSubstr("(cat:1.2), <lora:ink:0.5>, {a|b}, __c__"));
  EXPECT_THAT(warning,
              HasSubstr("instead: --attend \"cat:1.2\", --lora ink:0.5, --prompt-file with a line for each"));
  EXPECT_EQ(warning.find("dog"), warning.npos);
}

TEST(PromptMarks, LongAndHostileTextIsToldShortly) {
  EXPECT_LT(marks_warning({"(" + std::string(100'000, 'x') + ":1.3)"}).size(), 400u);
  EXPECT_THAT(marks_warning({"(\x1b[2J:1.3)"}), ::testing::Not(HasSubstr("\x1b")));
  for (const char* unit : {"(", "[", "<", "{", "__", "((", "(a:1.1)", "AND a "}) {
    std::string text;
    while (text.size() < 300'000) text += unit;
    prompt_marks(text);  // in linear time
  }
}

}  // namespace
}  // namespace sdgen
