// Qwen3's decoder ("Qwen3 Technical Report", section 2) as image models read texts with it: causal
// grouped-query attention with normalised queries and keys, rotary positions, SwiGLU; no words are generated.
// Computes what transformers' Qwen3Model does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "nn/layers.h"
#include "nn/rms_norm.h"
#include "nn/streamed.h"

namespace sdgen {

struct Qwen3Config {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  // each is read by heads / kv_heads heads of queries
  std::int64_t head_dim = 0;  // need not be hidden_size / heads
  double rms_norm_eps = 1e-6;
  double rope_theta = 1e4;
  bool attention_bias = false;
  Activation activation = Activation::kSilu;

  // Reads text_encoder/config.json. Throws Error(kInput) naming file and key: a size out of range, sliding
  // windows, scaled rotary positions, another architecture.
  static Qwen3Config read(const Config& config);
};

// cos and sin of the angle by which each pair of numbers of a head is turned at each position.
struct RotaryTables {
  Tensor cos;  // [L, head_dim / 2]
  Tensor sin;  // [L, head_dim / 2]
};

struct Qwen3Layer {
  RmsNorm input_layernorm;
  Linear q_proj, k_proj, v_proj, o_proj;
  RmsNorm q_norm, k_norm;  // of each head
  RmsNorm post_attention_layernorm;
  Linear gate_proj, up_proj, down_proj;
  Qwen3Config config;

  Qwen3Layer(const Weights& weights, const Qwen3Config& config);
  // x [B, L, D]; mask [B, 1, L, L] bool, true where a row (query) sees a column (key), or undefined: each row
  // sees itself and those before it.
  Tensor operator()(const Tensor& x, const RotaryTables& rotary, const Tensor& mask) const;
};

class Qwen3Encoder {
 public:
  // Tensor names are Qwen3Model's (see qwen3_tensor_name). `wanted`: which of transformers' hidden_states are
  // asked for, 0 (the embeddings) to config.layers (after the final norm), or from the end: -1, -2, ...
  // Layers past the last of them are not read. Throws Error(kInput) where the model has not that many layers.
  Qwen3Encoder(const Weights& weights, const Qwen3Config& config, const std::vector<std::int64_t>& wanted,
               Residency residency = Residency());

  // The wanted states, each [B, L, D], in the order in which they were asked for. ids [B, L] int64; mask
  // [B, L], 0 for tokens that no other may see (padding), or undefined where there are none. What a row gives
  // that sees nothing at all, not even itself, is of no meaning but the reference's.
  // Throws Error(kInput) for an id outside the vocabulary: tokenizer and text encoder do not belong together.
  std::vector<Tensor> operator()(const Tensor& ids, const Tensor& mask = {}) const;

  // How the names of tensors begin that a file may hold beside those read, for Weights::require_all_used().
  std::vector<std::string> unread() const;

 private:
  Tensor embedded(const Tensor& ids) const;

  Qwen3Config config_;
  std::vector<std::int64_t> wanted_;  // 0 to config_.layers
  std::string file_;
  Tensor embed_tokens_;  // [vocab, D]
  std::vector<Streamed<Qwen3Layer>> layers_;
  std::optional<RmsNorm> norm_;  // the final one, where it is asked for
};

// The name in Qwen3Model of a tensor that Qwen3ForCausalLM stores: without `model.` before it.
std::string qwen3_tensor_name(const std::string& stored);

}  // namespace sdgen
