// Multi-head attention and the transformer block of Stable Diffusion's UNet.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "nn/layers.h"
#include "nn/streamed.h"

namespace sdgen {

// softmax(Q K^T / sqrt(d)) V over `heads` heads ("Attention Is All You Need", section 3.2).
// q [N, L, heads*d], k and v [N, S, heads*d] -> [N, L, heads*d]
Tensor multi_head_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads,
                            bool causal = false);

// Attention written out, in float32, for those who look at it or change it:
// q k^T / sqrt(d), q [N, L, heads*d], k [N, S, heads*d] -> [N, heads, L, S]
Tensor attention_scores(const Tensor& q, const Tensor& k, std::int64_t heads);
// weights [N, heads, L, S] (softmax of scores), v [N, S, heads*d] -> [N, L, heads*d] in v's dtype
Tensor mix_values(const Tensor& weights, const Tensor& v);

// One attention layer at work, as hooks see it.
struct AttentionCall {
  const Tensor& q;  // [M, L, heads*d]
  const Tensor& k;  // [M, S, heads*d]
  const Tensor& v;  // [M, S, heads*d]
  std::int64_t heads;
  std::int64_t height, width;  // of the map whose patches ask: L = height * width
};

// What may watch or replace attention while the UNet runs. All empty by default, and then free.
struct AttentionHooks {
  // Cross-attention: weights [M, heads, L, S] float32 in place of softmax(q k^T / sqrt(d)), or undefined to
  // leave it be.
  std::function<Tensor(const AttentionCall&)> cross_weights{};
  // After it: patches have asked the words, with those weights or, where undefined, the plain ones.
  std::function<void(const AttentionCall&, const Tensor& weights)> on_cross{};
  // Self-attention: [M, L, heads*d] in place of multi_head_attention(), or undefined to leave it be.
  std::function<Tensor(const AttentionCall&)> self{};
};

// Whether there is any.
inline bool any(const AttentionHooks& hooks) {
  return hooks.cross_weights || hooks.on_cross || hooks.self;
}

// The text as one attention layer sees it.
struct KeysValues {
  Tensor keys;    // [N, S, width]
  Tensor values;  // [N, S, width]
};

// Patches ask patches.
struct SelfAttention {
  Linear to_qkv;  // to_q, to_k and to_v below each other
  Linear to_out;
  std::int64_t heads;

  SelfAttention(const Weights& weights, std::int64_t width, std::int64_t heads, Bias bias = Bias::kNone);
  // to_out(attention(x)) + residual; x and residual [N, L, width], L patches of a map of `size` (h, w)
  Tensor operator()(const Tensor& x, const Tensor& residual, at::IntArrayRef size = {},
                    const AttentionHooks* hooks = nullptr) const;
};

// Image patches ask, words answer: queries from x, keys and values from the text.
struct CrossAttention {
  Linear to_q, to_k, to_v, to_out;
  std::int64_t heads;

  CrossAttention(const Weights& weights, std::int64_t width, std::int64_t context_width, std::int64_t heads);
  // The same at every step of a run: context [N, S, context_width]
  KeysValues keys_values(const Tensor& context) const;
  // to_out(attention(x, text)) + residual; x, residual and `size` as above
  Tensor operator()(const Tensor& x, const KeysValues& text, const Tensor& residual,
                    at::IntArrayRef size = {}, const AttentionHooks* hooks = nullptr) const;
};

// proj_out(x1 * gelu(x2)) with [x1, x2] = proj_in(x) ("GLU Variants Improve Transformer").
struct GegluFeedForward {
  Linear proj_in, proj_out;

  GegluFeedForward(const Weights& weights, std::int64_t width);
  Tensor operator()(const Tensor& x, const Tensor& residual) const;  // [N, L, width] both
};

// diffusers' BasicTransformerBlock: self-attention, cross-attention, feed-forward, each after a LayerNorm,
// each added.
struct BasicTransformerBlock {
  LayerNorm norm1;
  std::optional<SelfAttention> attn1;
  std::optional<CrossAttention> cross_attn1;  // in its place where only_cross_attention
  LayerNorm norm2;
  CrossAttention attn2;
  LayerNorm norm3;
  GegluFeedForward ff;

  BasicTransformerBlock(const Weights& weights, std::int64_t width, std::int64_t context_width,
                        std::int64_t heads, bool only_cross_attention);
};

// The text as every block of a Transformer2d sees it, made once a run.
struct TransformerText {
  struct Block {
    std::optional<KeysValues> attn1;  // where only_cross_attention
    KeysValues attn2;
  };
  std::vector<Block> blocks;
};

// diffusers' Transformer2DModel: patches of a feature map through transformer blocks, projected in and out by
// 1x1 convolutions (SD 1) or linears (SD 2), and added.
struct Transformer2d {
  struct Config {
    std::int64_t channels = 0;
    std::int64_t context_width = 0;
    std::int64_t heads = 0;
    std::int64_t depth = 1;
    std::int64_t groups = 32;
    bool linear_projection = false;
    bool only_cross_attention = false;
  };
  GroupNorm norm;
  Linear proj_in, proj_out;
  std::vector<Streamed<BasicTransformerBlock>> blocks;

  Transformer2d(const Weights& weights, const Config& config, Residency& residency);
  TransformerText text(const Tensor& context) const;  // [M, S, context_width]
  // x [N, C, h, w] -> [M, C, h, w]. M is N, or a multiple of it: then the rows of x stand for as many runs of
  // the text (first all of x with the first N texts, ...), and what is the same for all is computed once.
  Tensor operator()(const Tensor& x, const TransformerText& text,
                    const AttentionHooks* hooks = nullptr) const;
};

// x repeated along its first dimension until it has `rows`; x itself where it has.
Tensor repeat_rows(const Tensor& x, std::int64_t rows);

}  // namespace sdgen
