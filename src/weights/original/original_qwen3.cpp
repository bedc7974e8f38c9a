#include "weights/original/original_qwen3.h"

#include "weights/shapes.h"

namespace sdgen {
namespace {

const std::string kFirstLayer = "model.layers.0.";
// Normed queries tell it from Qwen2, and that nothing sees pictures from Qwen3-VL.
const std::string kNormedQueries = kFirstLayer + "self_attn.q_norm.weight",
                  kPictures = "visual.patch_embed.proj.weight";

std::optional<std::string> qwen3_prefix(const TensorSource& source) {
  if (has_tensor(source, kPictures) || has_tensor(source, "model." + kPictures)) return std::nullopt;
  for (const std::string prefix :
       {"text_encoders.qwen3_4b.transformer.", "text_encoders.qwen3_8b.transformer.", "text_encoder.", ""})
    if (has_tensor(source, prefix + kNormedQueries)) return prefix;
  return std::nullopt;
}

}  // namespace

std::optional<std::map<std::string, EditedTensor>> qwen3_tensors(const TensorSource& source) {
  const std::optional<std::string> prefix = qwen3_prefix(source);
  if (!prefix) return std::nullopt;
  const std::string model = *prefix + "model.";
  std::map<std::string, EditedTensor> edits;
  for (const std::string& key : source.keys())
    if (key.starts_with(model) || key == *prefix + "lm_head.weight")
      edits[key.substr(prefix->size())] = {{key}};
  return edits;
}

Json qwen3_config(const TensorSource& text) {
  const std::string attention = kFirstLayer + "self_attn.", words = "model.embed_tokens.weight";
  const std::int64_t head = size_of(text, kNormedQueries, 0);
  return {{"architectures", {"Qwen3ForCausalLM"}},
          {"model_type", "qwen3"},
          {"vocab_size", size_of(text, words, 0)},
          {"hidden_size", size_of(text, words, 1)},
          {"intermediate_size", size_of(text, kFirstLayer + "mlp.gate_proj.weight", 0)},
          {"num_hidden_layers", count_tensors(text, "model.layers.", ".input_layernorm.weight")},
          {"num_attention_heads", size_of(text, attention + "q_proj.weight", 0) / head},
          {"num_key_value_heads", size_of(text, attention + "k_proj.weight", 0) / head},
          {"head_dim", head},
          {"hidden_act", "silu"},
          {"attention_bias", has_tensor(text, attention + "q_proj.bias")},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 1e6}};
}

}  // namespace sdgen
