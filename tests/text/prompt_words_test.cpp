#include "text/prompt_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sdgen/error.h"

namespace sdgen {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> texts(const std::string& prompt) {
  std::vector<std::string> result;
  for (const PromptWord& word : prompt_words(prompt)) {
    EXPECT_EQ(prompt.substr(word.begin, word.end - word.begin), word.text);
    result.push_back(word.kind == PromptWord::Kind::kPunctuation ? "(" + word.text + ")" : word.text);
  }
  return result;
}

TEST(PromptWords, AreRunsOfLettersAndRunsOfOtherSigns) {
  EXPECT_THAT(texts("a red apple, 3.5 cars!"),
              ElementsAre("a", "red", "apple", "(,)", "3", "(.)", "5", "cars", "(!)"));
  EXPECT_THAT(texts("  the dog's t-shirt -- it’s"), ElementsAre("the", "dog's", "t-shirt", "(--)", "it’s"));
  EXPECT_THAT(texts("красный круг"), ElementsAre("красный", "круг"));
  EXPECT_THAT(texts("a 🦊️ and 👨‍👩‍👧+1"),
              ElementsAre("a", "🦊️", "and", "👨‍👩‍👧+", "1"));
  EXPECT_THAT(texts("'quoted' x-"), ElementsAre("(')", "quoted", "(')", "x", "(-)"));
  EXPECT_THAT(texts(""), ElementsAre());
  EXPECT_THAT(texts(" \t\n"), ElementsAre());
}

TEST(PromptWords, TakeTheTokensThatBeginInThem) {
  // start, "a", "cat" + "like", end, padding; a SentencePiece token begins at the space before its word.
  const std::string prompt = "a catlike";
  Tokens tokens{{9, 1, 2, 3, 8, 0, 0}, 1, {0, 1, 5}, ""};
  const std::vector<PromptWord> words = prompt_words(prompt, tokens);
  ASSERT_EQ(words.size(), 5u);
  EXPECT_THAT(words[0].tokens, ElementsAre(1));
  EXPECT_THAT(words[1].tokens, ElementsAre(2, 3));
  EXPECT_EQ(words[2].kind, PromptWord::Kind::kStart);
  EXPECT_THAT(words[2].tokens, ElementsAre(0));
  EXPECT_EQ(words[3].kind, PromptWord::Kind::kEnd);
  EXPECT_THAT(words[3].tokens, ElementsAre(4));
  EXPECT_EQ(words[4].kind, PromptWord::Kind::kPadding);
  EXPECT_THAT(words[4].tokens, ElementsAre(5, 6));
}

TEST(PromptWords, PastTheLengthHaveNoTokens) {
  const std::vector<PromptWord> words = prompt_words("a b", {{1, 8}, 0, {0}, "b"});
  ASSERT_EQ(words.size(), 3u);  // a, b, end
  EXPECT_THAT(words[0].tokens, ElementsAre(0));
  EXPECT_THAT(words[1].tokens, ElementsAre());
}

TEST(PromptWords, AreFoundByNamePhraseAndNumber) {
  const auto words = prompt_words("a red apple and a Red car, RED");
  EXPECT_THAT(find_words(words, "red", "attend"),
              ElementsAre(ElementsAre(1), ElementsAre(5), ElementsAre(8)));
  EXPECT_THAT(find_words(words, "red car", "attend"), ElementsAre(ElementsAre(5, 6)));
  EXPECT_THAT(find_words(words, "Red#2", "attend"), ElementsAre(ElementsAre(5)));
  EXPECT_THROW(find_words(words, "red#4", "attend"), Error);
  EXPECT_THROW(find_words(words, "", "attend"), Error);
  EXPECT_THROW(find_words(words, "pear", "attend"), Error);
}

TEST(PromptWords, OutsideOfAListAreToldOnceAndWhateverTheirCase) {
  const auto words = prompt_words("A Lion + a red T-shirt, a lion on <the> Öre!");
  EXPECT_THAT(words_outside({"a", "red", "t-shirt", "on", "the"}, words), ElementsAre("Lion", "Öre"));
  EXPECT_THAT(words_outside({"a", "red", "t-shirt", "on", "the", "lion", folded_word("ÖRE")}, words),
              ElementsAre());
}

}  // namespace
}  // namespace sdgen
