// CLIP's text transformer ("Learning Transferable Visual Models From Natural Language Supervision",
// section 2.4), as transformers' CLIPTextModel computes it.
#pragma once

#include <vector>

#include "base/json_file.h"
#include "nn/attention.h"

namespace sdgen {

struct ClipTextConfig {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t max_position_embeddings = 0;
  std::int64_t eos_token_id = 0;
  double layer_norm_eps = 1e-5;
  Activation activation = Activation::kQuickGelu;

  // Reads text_encoder/config.json. Throws Error(kInput) naming file and key.
  static ClipTextConfig read(const Config& config);
};

class ClipTextEncoder {
 public:
  // Tensor names are transformers 5's (no `text_model.` prefix).
  ClipTextEncoder(const Weights& weights, const ClipTextConfig& config);

  // ids [B, L] int64 on any device, L at most max_position_embeddings.
  // Throws Error(kInput) for an id outside the vocabulary: tokenizer and text encoder do not belong together.
  // Returns [B, L, hidden_size] after the last LayerNorm: what the UNet attends to.
  Tensor operator()(const Tensor& ids) const;

  // The rows of `hidden` at each text's end token: [B, hidden_size], CLIP's summary of a text.
  Tensor pooled(const Tensor& ids, const Tensor& hidden) const;

 private:
  struct Layer {
    LayerNorm layer_norm1;
    Linear q_proj, k_proj, v_proj, out_proj;
    LayerNorm layer_norm2;
    Linear fc1, fc2;

    Layer(const Weights& weights, const ClipTextConfig& config);
    Tensor operator()(Tensor x, const ClipTextConfig& config) const;  // [B, L, D]
  };

  ClipTextConfig config_;
  std::string file_;
  Tensor token_embedding_;     // [vocab, D]
  Tensor position_embedding_;  // [positions, D]
  std::vector<Layer> layers_;
  LayerNorm final_layer_norm_;
};

}  // namespace sdgen
