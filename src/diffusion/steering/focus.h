// Words held to a place. A word's tokens are seen from inside of its box only; there, the word is seen by
// itself too, as further tokens behind the prompt's, told apart from all other words; and the tokens around
// the words, which speak for the whole prompt, count less. One softmax, and a mask that says who sees what
// ("eDiff-I", section 4.3, steers scores by place likewise; words by themselves are from "MultiDiffusion",
// section 4.2).
#pragma once

#include <vector>

#include "nn/attention.h"
#include "sdgen/request.h"

namespace sdgen {

// A word's place, its tokens in the prompt, and the word by itself: `own_count` tokens from `own_first` on.
struct FocusedWord {
  WordBox box;
  std::vector<int> tokens;
  std::int64_t own_first = 0;
  std::int64_t own_count = 0;
};

// One text.
struct FocusedRow {
  std::vector<FocusedWord> words{};
  std::vector<int> around{};  // tokens behind the words: end and padding
};

class Focus {
 public:
  // Of the texts from `first_row` on. Those before, and rows without words, see their first `tokens` tokens
  // as ever.
  Focus(std::int64_t first_row, std::int64_t tokens, std::vector<FocusedRow> rows);

  // See AttentionHooks::cross_weights.
  Tensor weights(const AttentionCall& call) const;

  // What is added to scores: [rows, 1, height * width, tokens] float32.
  Tensor mask(std::int64_t rows, std::int64_t height, std::int64_t width, std::int64_t tokens) const;

 private:
  std::int64_t first_row_, tokens_;
  std::vector<FocusedRow> rows_;
};

// How far each patch lies inside of a box, the part of it that is covered: [height, width] float32, 0 to 1.
Tensor box_cover(const WordBox& box, std::int64_t height, std::int64_t width);

}  // namespace sdgen
