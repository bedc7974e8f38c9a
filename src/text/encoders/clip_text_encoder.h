// CLIP's text transformer ("Learning Transferable Visual Models From Natural Language Supervision",
// section 2.4), as transformers' CLIPTextModel computes it.
#pragma once

#include <optional>
#include <vector>

#include "base/json_file.h"
#include "text/encoders/clip_layer.h"

namespace sdgen {

// `config`, or the text's part of a whole CLIPModel's, which leaves out what is transformers' default.
Config clip_text_config(const Config& config);

struct ClipTextConfig {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t max_position_embeddings = 0;
  std::int64_t eos_token_id = 0;
  std::int64_t projection_dim = 0;  // of CLIPTextModelWithProjection; 0: there is no projection
  double layer_norm_eps = 1e-5;
  Activation activation = Activation::kQuickGelu;

  // Reads text_encoder/config.json, which may be a whole CLIPModel's; whether there is a projection its class
  // says, not the file. Throws Error(kInput) naming file and key.
  static ClipTextConfig read(const Config& config, bool with_projection = false);
};

// What the layers give on the way, transformers' hidden_states and last_hidden_state.
struct TextStates {
  std::vector<Tensor> layers;  // [B, L, D] what enters the first layer, then what each gives
  Tensor last;                 // [B, L, D] the last layer's, after the final LayerNorm
};

class ClipTextEncoder {
 public:
  // Tensor names are transformers 5's (no `text_model.` prefix).
  ClipTextEncoder(const Weights& weights, const ClipTextConfig& config);

  // ids [B, L] int64 on any device, L at most max_position_embeddings.
  // Throws Error(kInput) for an id outside the vocabulary: tokenizer and text encoder do not belong together.
  TextStates states(const Tensor& ids) const;
  // states().last: what the UNet of Stable Diffusion 1 and 2 attends to.
  Tensor operator()(const Tensor& ids) const { return states(ids).last; }

  // A state on the way through the final LayerNorm, as states().last is the last one's.
  Tensor normed(const Tensor& state) const { return final_layer_norm_(state); }

  // CLIP's summary of each text: the row of states().last at its end token, [B, hidden_size]; projected,
  // [B, projection_dim], where the model has a projection.
  Tensor pooled(const Tensor& ids, const Tensor& last) const;

 private:
  ClipTextConfig config_;
  std::string file_;
  Tensor token_embedding_;     // [vocab, D]
  Tensor position_embedding_;  // [positions, D]
  std::vector<ClipLayer> layers_;
  LayerNorm final_layer_norm_;
  std::optional<Linear> text_projection_;
};

}  // namespace sdgen
