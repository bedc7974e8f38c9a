#include "diffusion/steering/prompt_edit.h"

#include <gtest/gtest.h>

#include "diffusion/steering/focus.h"
#include "support/golden.h"
#include "text/prompt_words.h"

namespace sdgen {
namespace {

// A token a letter, none around them but the end.
std::vector<PromptWord> letters(const std::string& prompt, int tokens) {
  Tokens made;
  for (std::size_t i = 0; i < prompt.size(); ++i)
    if (prompt[i] != ' ') made.origins.push_back(i);
  made.ids.resize(static_cast<std::size_t>(tokens));
  return prompt_words(prompt, made);
}

// The base token that attends in a new token's stead; -1 for its own, -2 for several.
std::vector<int> sources(const std::string& base, const std::string& changed, int tokens) {
  const Tensor alignment = align_prompts(letters(base, tokens), letters(changed, tokens), tokens);
  std::vector<int> result;
  for (int token = 0; token < tokens; ++token) {
    const Tensor column = alignment.select(1, token);
    const auto count = at::count_nonzero(column).item<std::int64_t>();
    result.push_back(count == 0 ? -1 : count > 1 ? -2 : column.argmax().item<int>());
  }
  return result;
}

TEST(PromptEdit, PairsWordsInCommonAndWordsExchanged) {
  //                 a b c end pad pad
  EXPECT_EQ(sources("a b c", "a b c", 6), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(sources("a b c", "a x c", 6), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  // An added word keeps its own attention, and what follows finds its own again.
  EXPECT_EQ(sources("a b c", "a x b c", 6), (std::vector<int>{0, -1, 1, 2, 3, -2}));
  // A dropped word is nobody's.
  EXPECT_EQ(sources("a x b", "a b", 6), (std::vector<int>{0, 2, 3, -2, -2, -2}));
}

TEST(PromptEdit, AWordOfSeveralTokensKeepsItsShare) {
  const Tensor alignment = align_prompts(letters("ab", 5), letters("xyz", 5), 5);
  // Two tokens spread over three: each new one takes a third of both.
  EXPECT_TRUE(testing::is_close(alignment.narrow(0, 0, 2).narrow(1, 0, 3), at::full({2, 3}, 1.0 / 3), 1e-6));
  EXPECT_TRUE(testing::is_close(alignment.sum(1), at::ones({5}), 1e-6));  // nothing is lost
}

TEST(PromptEdit, APatchThatLookedAtDroppedWordsAloneStaysFinite) {
  const Tensor alignment = align_prompts(letters("a x b", 4), letters("a b", 4), 4);
  PromptEdit edit(2, 0, 1, alignment);
  edit.begin_evaluation(0.0);
  // The only patch of the base row asks for "x", so much that nothing else gets anything.
  const Tensor k = at::eye(4).unsqueeze(0).expand({2, 4, 4}).contiguous();
  Tensor q = at::zeros({2, 1, 4});
  q[0][0][1] = 1e4F;
  const Tensor weights = edit.word_weights({.q = q, .k = k, .v = k, .heads = 1, .height = 1, .width = 1});
  EXPECT_TRUE(at::isfinite(weights).all().item<bool>());
  EXPECT_TRUE(testing::is_close(weights[1].narrow(-1, 0, 3), at::zeros({1, 1, 3}), 1e-6))
      << "nobody took its share";
}

TEST(Focus, ABoxCoversPatchesInPart) {
  const Tensor cover = box_cover({"", 0.0, 0.25, 0.5, 1.0}, 2, 4);
  EXPECT_TRUE(testing::is_close(
      cover, at::tensor({0.5F, 0.5F, 0.0F, 0.0F, 1.0F, 1.0F, 0.0F, 0.0F}).view({2, 4}), 1e-6));
  EXPECT_TRUE(testing::is_close(box_cover({"", 0.1, 0.1, 0.2, 0.2}, 1, 1), at::full({1, 1}, 0.01), 1e-6));
}

TEST(Focus, MasksWordsByPlaceAndSubduesWhatStandsAround) {
  // Two tokens in the prompt (a word, the end), the word by itself behind them; row 0 has no text to focus.
  const WordBox left{"", 0.0, 0.0, 0.25, 1.0}, right{"", 0.75, 0.0, 1.0, 1.0};
  const Focus focus(1, 2, {{{{left, {0}, 2, 2}, {right, {0}, 4, 2}}, {1}}});
  const Tensor mask = focus.mask(2, 1, 4, 6);
  const float no = -1e4F, less = -3.0F;
  const Tensor plain = at::tensor({0.0F, 0.0F, no, no, no, no}).expand({4, 6});
  EXPECT_TRUE(testing::is_close(mask[0][0], plain, 0.0));
  // Seen from both of its boxes, itself by each of them.
  const Tensor expected = at::tensor({0.0F, less, 0.0F, 0.0F, no,   no,  //
                                      no,   0.0F, no,   no,   no,   no,  //
                                      no,   0.0F, no,   no,   no,   no,  //
                                      0.0F, less, no,   no,   0.0F, 0.0F})
                              .view({4, 6});
  EXPECT_TRUE(testing::is_close(mask[1][0], expected, 0.0));
}

TEST(PromptEdit, WordsThatWereDroppedTakeNoPart) {
  // A table of all pairs of words would have 10^10 cells.
  std::string base = "a b", changed = "a c";
  for (int i = 0; i < 100'000; ++i) {
    base += " x";
    changed += " y";
  }
  const auto words = [](const std::string& prompt) {
    Tokens tokens;
    tokens.origins = {0, 2};
    tokens.ids.resize(4);
    return prompt_words(prompt, tokens);
  };
  const Tensor alignment = align_prompts(words(base), words(changed), 4);
  EXPECT_EQ(alignment[0][0].item<float>(), 1.0F);
  EXPECT_EQ(alignment[1][1].item<float>(), 1.0F);
}

}  // namespace
}  // namespace sdgen
