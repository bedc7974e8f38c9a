#include "weights/original/checkpoint_places.h"

#include <algorithm>

#include "weights/original/original_controlnet.h"
#include "weights/original/original_qwen3.h"
#include "weights/original/original_z_image.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

const std::string kToken = "embeddings.token_embedding.weight", kOpenToken = "token_embedding.weight";

std::optional<std::string> find_prefix(const TensorSource& source,
                                       std::initializer_list<const char*> prefixes,
                                       const std::vector<std::string>& firsts) {
  for (const std::string prefix : prefixes)
    for (const std::string& first : firsts)
      if (has_tensor(source, prefix + first)) return prefix;
  return std::nullopt;
}

}  // namespace

const std::vector<TextPlace>& text_places() {
  static const std::vector<TextPlace> kPlaces = {
      {"cond_stage_model.transformer.", "text_model." + kToken, TextNames::kTransformers, "text_encoder"},
      {"cond_stage_model.transformer.", kToken, TextNames::kTransformers, "text_encoder"},
      {"cond_stage_model.model.", kOpenToken, TextNames::kOpenClip, "text_encoder"},
      {"conditioner.embedders.0.transformer.", "text_model." + kToken, TextNames::kTransformers,
       "text_encoder"},
      {"conditioner.embedders.0.transformer.", kToken, TextNames::kTransformers, "text_encoder"},
      {"conditioner.embedders.1.model.", kOpenToken, TextNames::kOpenClip, "text_encoder_2"},
      {"conditioner.embedders.0.model.", kOpenToken, TextNames::kOpenClip, "text_encoder_2"},
      {"clip_l.transformer.", "text_model." + kToken, TextNames::kTransformers, "text_encoder"},
      {"clip_g.transformer.", "text_model." + kToken, TextNames::kTransformers, "text_encoder_2"},
      {"", "text_model." + kToken, TextNames::kTransformers, ""},
      {"", kToken, TextNames::kTransformers, ""},
      {"", kOpenToken, TextNames::kOpenClip, ""},
  };
  return kPlaces;
}

std::optional<std::string> unet_prefix(const TensorSource& source) {
  return find_prefix(source, {"model.diffusion_model.", "diffusion_model.", ""}, {"input_blocks.0.0.weight"});
}

std::optional<std::string> vae_prefix(const TensorSource& source) {
  return find_prefix(source, {"first_stage_model.", "vae.", ""},
                     {"decoder.mid.block_1.conv1.weight", "encoder.mid.block_1.conv1.weight"});
}

bool is_checkpoint(const TensorSource& source) {
  // ControlNets are a UNet's way down; the oldest files hold the whole model, too
  if (is_controlnet(source) && !has_tensor(source, "model.diffusion_model.input_blocks.0.0.weight"))
    return false;
  if (unet_prefix(source) || vae_prefix(source)) return true;
  if (z_image_tensors(source) || qwen3_tensors(source)) return true;
  return std::any_of(text_places().begin(), text_places().end(),
                     [&](const TextPlace& place) { return has_tensor(source, place.prefix + place.first); });
}

}  // namespace sdgen
