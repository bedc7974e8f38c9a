#include "weights/original/original_text.h"

#include <array>
#include <optional>

#include "weights/original/name_map.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

constexpr std::int64_t kClipHeadWidth = 64;  // of every CLIP text encoder
constexpr int kOpenClipHLayers = 24;         // Stable Diffusion 2's; the last is not used
constexpr std::int64_t kSd2Projection = 512;

constexpr std::array kOuter = {LeafName{"token_embedding", "embeddings.token_embedding"},
                               LeafName{"ln_final", "final_layer_norm"}};

constexpr std::array kLayer = {LeafName{"ln_1", "layer_norm1"}, LeafName{"ln_2", "layer_norm2"},
                               LeafName{"mlp.c_fc", "mlp.fc1"}, LeafName{"mlp.c_proj", "mlp.fc2"},
                               LeafName{"attn.out_proj", "self_attn.out_proj"}};

constexpr std::array kQueryKeyValue = {"q_proj", "k_proj", "v_proj"};

const std::string kBlocks = "transformer.resblocks.", kLayers = "encoder.layers.", kTextModel = "text_model.",
                  kPositions = "embeddings.position_embedding.weight", kProjection = "text_projection.weight";

std::string bare(const std::string& key) {
  return key.starts_with(kTextModel) ? key.substr(kTextModel.size()) : key;
}

NameMap open_clip_names(int layers) {
  NameMap names;
  for (const LeafName& outer : kOuter) names.add(std::string(outer.original), std::string(outer.diffusers));
  for (int i = 0; i < layers; ++i)
    names.add(kBlocks + std::to_string(i), kLayers + std::to_string(i), kLayer);
  return names;
}

// The one joint tensor of a layer, "weight" or "bias", as three.
void add_thirds(const std::string& stored, const std::string& layer, const std::string& kind,
                std::map<std::string, EditedTensor>& tensors) {
  for (std::size_t i = 0; i < kQueryKeyValue.size(); ++i)
    tensors[layer + ".self_attn." + kQueryKeyValue[i] + "." + kind] = {
        {stored}, static_cast<TensorEdit>(static_cast<int>(TensorEdit::kFirstThird) + static_cast<int>(i))};
}

std::map<std::string, EditedTensor> from_open_clip(const TensorSource& source, const std::string& prefix,
                                                   bool with_projection) {
  int layers = count_tensors(source, prefix + kBlocks, ".ln_1.weight");
  if (layers == kOpenClipHLayers && !with_projection) --layers;
  const std::string model = with_projection ? kTextModel : "";
  const NameMap names = open_clip_names(layers);
  std::map<std::string, EditedTensor> tensors;
  for (const std::string& key : source.keys())
    if (key.starts_with(prefix))
      if (const auto name = names.to_diffusers(key.substr(prefix.size())))
        tensors[model + *name] = {{key}, TensorEdit::kNone};
  if (has_tensor(source, prefix + "positional_embedding"))
    tensors[model + kPositions] = {{prefix + "positional_embedding"}, TensorEdit::kNone};
  for (int i = 0; i < layers; ++i)
    for (const std::string kind : {"weight", "bias"})
      if (const std::string joint = prefix + kBlocks + std::to_string(i) + ".attn.in_proj_" + kind;
          has_tensor(source, joint))
        add_thirds(joint, model + kLayers + std::to_string(i), kind, tensors);
  if (with_projection && has_tensor(source, prefix + "text_projection"))
    tensors[kProjection] = {{prefix + "text_projection"}, TensorEdit::kTransposed};
  else if (with_projection && has_tensor(source, prefix + kProjection))
    tensors[kProjection] = {{prefix + kProjection}, TensorEdit::kNone};
  return tensors;
}

std::map<std::string, EditedTensor> from_transformers(const TensorSource& source, const std::string& prefix,
                                                      bool with_projection) {
  std::map<std::string, EditedTensor> tensors;
  for (const std::string& key : source.keys()) {
    if (!key.starts_with(prefix)) continue;
    const std::string name = bare(key.substr(prefix.size()));
    const bool is_model = name.starts_with("encoder.") || name.starts_with("final_layer_norm.") ||
                          (name.starts_with("embeddings.") && name != "embeddings.position_ids");
    if (is_model) tensors[(with_projection ? kTextModel : "") + name] = {{key}, TensorEdit::kNone};
    if (with_projection && name == kProjection) tensors[name] = {{key}, TensorEdit::kNone};
  }
  return tensors;
}

}  // namespace

std::map<std::string, EditedTensor> text_tensors(const TensorSource& source, const std::string& prefix,
                                                 TextNames names, bool with_projection) {
  return names == TextNames::kOpenClip ? from_open_clip(source, prefix, with_projection)
                                       : from_transformers(source, prefix, with_projection);
}

std::map<std::string, EditedTensor> open_clip_tensors(const TensorSource& text, const std::string& prefix) {
  const std::string model = has_tensor(text, kTextModel + kPositions) ? kTextModel : "";
  const int layers = count_tensors(text, model + kLayers, ".layer_norm1.weight");
  const NameMap names = open_clip_names(layers);
  std::map<std::string, EditedTensor> tensors;
  for (const std::string& key : text.keys())
    if (const auto name = names.to_original(bare(key))) tensors[prefix + *name] = {{key}, TensorEdit::kNone};
  if (has_tensor(text, model + kPositions))
    tensors[prefix + "positional_embedding"] = {{model + kPositions}, TensorEdit::kNone};
  for (int i = 0; i < layers; ++i)
    for (const std::string kind : {"weight", "bias"}) {
      EditedTensor joint{{}, TensorEdit::kJoined};
      for (const char* part : kQueryKeyValue)
        joint.stored.push_back(model + kLayers + std::to_string(i) + ".self_attn." + part + "." + kind);
      tensors[prefix + kBlocks + std::to_string(i) + ".attn.in_proj_" + kind] = joint;
    }
  if (has_tensor(text, kProjection))
    tensors[prefix + "text_projection"] = {{kProjection}, TensorEdit::kTransposed};
  return tensors;
}

Json text_config(const TensorSource& text, TextNames trained_as) {
  const std::string model = has_tensor(text, kTextModel + kPositions) ? kTextModel : "";
  const std::int64_t width = size_of(text, model + "embeddings.token_embedding.weight", 1);
  const bool has_projection = has_tensor(text, kProjection), is_open = trained_as == TextNames::kOpenClip;
  Json config;
  config["architectures"] = {has_projection ? "CLIPTextModelWithProjection" : "CLIPTextModel"};
  config["model_type"] = "clip_text_model";
  config["vocab_size"] = size_of(text, model + "embeddings.token_embedding.weight", 0);
  config["max_position_embeddings"] = size_of(text, model + kPositions, 0);
  config["hidden_size"] = width;
  config["intermediate_size"] = size_of(text, model + kLayers + "0.mlp.fc1.weight", 0);
  config["num_hidden_layers"] = count_tensors(text, model + kLayers, ".layer_norm1.weight");
  config["num_attention_heads"] = std::max<std::int64_t>(1, width / kClipHeadWidth);
  config["hidden_act"] = is_open ? "gelu" : "quick_gelu";
  config["projection_dim"] = has_projection ? size_of(text, kProjection, 0)
                             : is_open      ? kSd2Projection
                                            : width;
  config["layer_norm_eps"] = 1e-5;
  // The ids that OpenAI's first config had: the end token is then the largest id of a text.
  config["bos_token_id"] = 0;
  config["eos_token_id"] = 2;
  config["pad_token_id"] = 1;
  return config;
}

}  // namespace sdgen
