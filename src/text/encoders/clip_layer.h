// A layer of CLIP's transformers, of the words' and of the picture's.
#pragma once

#include "nn/attention.h"

namespace sdgen {

struct ClipLayer {
  struct Config {
    std::int64_t hidden_size = 0;
    std::int64_t intermediate_size = 0;
    std::int64_t heads = 0;
    double layer_norm_eps = 1e-5;
    Activation activation = Activation::kQuickGelu;
    bool causal = false;  // a word sees the words before it only
  };
  LayerNorm layer_norm1;
  Linear q_proj, k_proj, v_proj, out_proj;
  LayerNorm layer_norm2;
  Linear fc1, fc2;
  Config config;

  ClipLayer(const Weights& weights, const Config& config);
  Tensor operator()(Tensor x) const;  // [B, L, D]
};

}  // namespace sdgen
