#include <algorithm>
#include <array>

#include "models/inspect_parts.h"

namespace sdgen {
namespace {

// Files that one tensor's name tells.
struct KnownFile {
  const char* part;  // of a tensor's name; "^" in front: its beginning
  const char* kind;
  const char* what;  // more words; empty: none
};

constexpr std::array kKnown = {
    KnownFile{"controlnet_cond_embedding.", "controlnet", "diffusers' names"},
    KnownFile{"^control_model.", "controlnet", "original names"},
    KnownFile{"input_hint_block.", "controlnet", "original names"},
    KnownFile{"^lllite_", "controlnet", "ControlNet-LLLite"},
    KnownFile{"^ip_adapter.", "ip-adapter", ""},
    KnownFile{"^image_proj.", "ip-adapter", ""},
    KnownFile{"^adapter.body.", "t2i-adapter", "diffusers' names"},
    KnownFile{"^body.0.", "t2i-adapter", "original names"},
    KnownFile{"motion_modules.", "other model", "AnimateDiff motion module"},
    KnownFile{"^decoder.layers.", "tiny vae", "AutoencoderTiny (TAESD), diffusers' names"},
    KnownFile{"^encoder.layers.", "tiny vae", "AutoencoderTiny (TAESD), diffusers' names"},
    KnownFile{"3.conv.0.weight", "tiny vae", "TAESD, original names"},
    KnownFile{"double_blocks.", "other model", "Flux transformer"},
    KnownFile{"joint_blocks.", "other model", "Stable Diffusion 3 transformer"},
    KnownFile{"clip_txt_mapper.", "other model", "Stable Cascade"},
    KnownFile{"^vision_model.", "other model", "CLIP image encoder"},
    KnownFile{"^decoder.up_blocks.", "vae", "AutoencoderKL, diffusers' names"},
    KnownFile{"^encoder.down_blocks.", "vae", "AutoencoderKL, diffusers' names"},
    KnownFile{"^down_blocks.0.resnets.", "unet", "UNet2DConditionModel, diffusers' names"},
    KnownFile{"RRDB_trunk.", "other model", "ESRGAN upscaler"},
    KnownFile{"^conv_first.", "other model", "ESRGAN-like upscaler"},
};

bool fits(const std::string& key, const std::string& part) {
  return part[0] == '^' ? key.starts_with(part.substr(1)) : key.find(part) != std::string::npos;
}

constexpr std::array<std::int64_t, 3> kEmbeddingWidths = {768, 1024, 1280};
constexpr std::int64_t kMaxVectors = 1024;

bool is_vectors(const TensorInfo& info) {
  return (info.shape.size() == 1 || (info.shape.size() == 2 && info.shape[0] <= kMaxVectors)) &&
         std::find(kEmbeddingWidths.begin(), kEmbeddingWidths.end(), info.shape.back()) !=
             kEmbeddingWidths.end();
}

}  // namespace

std::int64_t size_by_ending(const TensorSource& source, const std::string& ending, std::size_t dimension) {
  for (const std::string& key : source.keys())
    if (const TensorInfo& info = *source.find(key); key.ends_with(ending) && info.shape.size() > dimension)
      return info.shape[dimension];
  return 0;
}

bool inspect_embedding(const TensorSource& source, Inspection& inspection) {
  auto keys = source.keys();
  std::erase_if(keys, [](const std::string& key) { return key.starts_with("string_to_token."); });
  const bool is_embedding =
      !keys.empty() && keys.size() <= 4 && std::all_of(keys.begin(), keys.end(), [&](const auto& key) {
        const bool is_plain = key.find('.') == std::string::npos || key.starts_with("string_to_param.");
        return is_plain && is_vectors(*source.find(key));
      });
  if (!is_embedding) return false;
  inspection.kind = "embedding";
  for (const std::string& key : keys) {
    const auto& shape = source.find(key)->shape;
    const std::int64_t vectors = shape.size() == 1 ? 1 : shape[0];
    inspection.facts.emplace_back(key.empty() ? "vectors" : key,
                                  std::to_string(vectors) + (vectors == 1 ? " vector of " : " vectors of ") +
                                      std::to_string(shape.back()));
  }
  inspection.family = source.find("clip_g") || source.find("text_encoders_1")
                          ? family_of_words(2048)
                          : family_of_words(source.find(keys[0])->shape.back());
  inspection.components.push_back(inspected_component("embedding", "", source));
  return true;
}

bool inspect_by_names(const TensorSource& source, Inspection& inspection) {
  const auto keys = source.keys();
  for (const KnownFile& known : kKnown) {
    if (std::none_of(keys.begin(), keys.end(), [&](const auto& key) { return fits(key, known.part); }))
      continue;
    inspection.kind = known.kind;
    if (*known.what != '\0') inspection.facts.emplace_back("form", known.what);
    if (source.find("difference"))
      inspection.facts.emplace_back("stored as", "differences from the base's UNet");
    if (source.find("lora_controlnet"))
      inspection.facts.emplace_back("stored as", "a LoRA of the base's UNet");
    inspection.family = family_of_words(size_by_ending(source, "attn2.to_k.weight", 1));
    inspection.components.push_back(inspected_component(known.kind, "", source));
    return true;
  }
  return false;
}

}  // namespace sdgen
