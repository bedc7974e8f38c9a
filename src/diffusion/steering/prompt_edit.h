// A changed prompt drawn with the attention of an earlier one: what stays in words stays in place
// ("Prompt-to-Prompt Image Editing with Cross Attention Control", sections 3.1 and 3.2).
#pragma once

#include <vector>

#include "nn/attention.h"
#include "sdgen/attention.h"

namespace sdgen {

// For each token of the changed prompt, which tokens of the base prompt attend in its stead: [S, S] float32,
// row = base token, column = new token; a column of zeros keeps its own attention. Words that both have, in
// order, are paired, and what was put in the place of other words with what stood there; within a pair a
// word's attention is spread over its tokens.
Tensor align_prompts(const std::vector<PromptWord>& base, const std::vector<PromptWord>& changed,
                     std::int64_t tokens);

class PromptEdit {
 public:
  // `base` and `changed` are rows of the `rows` texts; `alignment` by align_prompts().
  PromptEdit(std::int64_t rows, std::int64_t base, std::int64_t changed, Tensor alignment);

  // `done` of the run lies behind this evaluation, 0 to 1.
  void begin_evaluation(double done) { done_ = done; }
  // See AttentionHooks::cross_weights and self. `finest` is the number of patches of the latents.
  Tensor word_weights(const AttentionCall& call) const;
  Tensor attend_patches(const AttentionCall& call, std::int64_t finest) const;

 private:
  std::int64_t rows_, base_, changed_;
  Tensor alignment_;  // [S, S]
  Tensor own_;        // [S]: 1 where a token keeps its own attention
  double done_ = 0.0;
};

}  // namespace sdgen
