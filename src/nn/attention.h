// Multi-head attention and the transformer block of Stable Diffusion's UNet.
#pragma once

#include <optional>
#include <vector>

#include "nn/layers.h"

namespace sdgen {

// softmax(Q K^T / sqrt(d)) V over `heads` heads ("Attention Is All You Need", section 3.2).
// q [N, L, heads*d], k and v [N, S, heads*d] -> [N, L, heads*d]
Tensor multi_head_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads,
                            bool causal = false);

// Image patches ask, words answer: queries from x, keys and values from the text. Self-attention where
// context is x.
struct CrossAttention {
  Linear to_q, to_k, to_v, to_out;
  std::int64_t heads;

  CrossAttention(const Weights& weights, std::int64_t width, std::int64_t context_width, std::int64_t heads);
  // x [N, L, width], context [N, S, context_width] -> [N, L, width]
  Tensor operator()(const Tensor& x, const Tensor& context) const;
};

// proj_out(x1 * gelu(x2)) with [x1, x2] = proj_in(x) ("GLU Variants Improve Transformer").
struct GegluFeedForward {
  Linear proj_in, proj_out;

  GegluFeedForward(const Weights& weights, std::int64_t width);
  Tensor operator()(const Tensor& x) const;  // [N, L, width]
};

// diffusers' BasicTransformerBlock: self-attention, cross-attention, feed-forward, each after a LayerNorm,
// each added.
struct BasicTransformerBlock {
  LayerNorm norm1;
  CrossAttention attn1;
  LayerNorm norm2;
  CrossAttention attn2;
  LayerNorm norm3;
  GegluFeedForward ff;
  bool only_cross_attention;  // attn1 also asks the text

  BasicTransformerBlock(const Weights& weights, std::int64_t width, std::int64_t context_width,
                        std::int64_t heads, bool only_cross_attention);
  Tensor operator()(Tensor x, const Tensor& context) const;  // [N, L, width], [N, S, context_width]
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
  std::optional<Linear> linear_in, linear_out;
  std::optional<Conv2d> conv_in, conv_out;
  std::vector<BasicTransformerBlock> blocks;

  Transformer2d(const Weights& weights, const Config& config);
  Tensor operator()(const Tensor& x, const Tensor& context) const;  // [N, C, h, w], [N, S, context_width]
};

}  // namespace sdgen
