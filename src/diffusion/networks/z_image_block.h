// The block that all of Z-Image is made of: every token asks every token, words and patches alike.
#pragma once

#include <optional>

#include "diffusion/networks/z_image_config.h"
#include "nn/attention.h"
#include "nn/rms_norm.h"

namespace sdgen {

// Where patches and words stand among a block's tokens, for whoever watches what patches pay to words or has
// them pay more or less.
struct ImageAndWords {
  const AttentionHooks& hooks;
  std::int64_t height, width;      // of the map of patches, which come first
  std::int64_t first_word, words;  // without padding
  Tensor weights;  // [N, words, 1] what the words' values are to patches is multiplied by; undefined: one
};

// Attention over all tokens, with normed and rotated queries and keys.
struct ZImageAttention {
  Linear to_q, to_k, to_v, to_out;
  std::optional<RmsNorm> norm_q, norm_k;  // of each head
  std::int64_t heads;

  ZImageAttention(const Weights& weights, const ZImageConfig& config);
  // x [N, S, dim], rotations [S, head_dim / 2] complex64 -> [N, S, dim]
  Tensor operator()(const Tensor& x, const Tensor& rotations, const ImageAndWords* watched) const;
};

// w2(silu(w1 x) * w3 x) ("GLU Variants Improve Transformer").
struct SwigluFeedForward {
  Linear w1, w2, w3;

  SwigluFeedForward(const Weights& weights, std::int64_t width, std::int64_t hidden);
  Tensor operator()(const Tensor& x) const;  // [N, S, width]
};

// Attention and feed-forward between a norm before and a norm behind (a sandwich), each added.
struct ZImageBlock {
  ZImageAttention attention;
  SwigluFeedForward feed_forward;
  RmsNorm attention_norm1, attention_norm2, ffn_norm1, ffn_norm2;
  std::optional<Linear> adaln_modulation;  // the time scales what is seen and gates what is added

  ZImageBlock(const Weights& weights, const ZImageConfig& config, bool modulated);
  // x [N, S, dim], rotations [S, head_dim / 2] complex64, time [1, time_width] (undefined where nothing is
  // modulated) -> [N, S, dim]
  Tensor operator()(const Tensor& x, const Tensor& rotations, const Tensor& time = {},
                    const ImageAndWords* watched = nullptr) const;
};

// What patches pay to words where they attend to both: the words' columns of softmax(q k^T / sqrt(d)) over
// all of k, some rows at a time. q [N, L, heads*d] of the patches, k [N, S, heads*d] of all -> [N, heads, L,
// words] float32
Tensor word_columns(const Tensor& q, const Tensor& k, std::int64_t heads, std::int64_t first_word,
                    std::int64_t words);

}  // namespace sdgen
