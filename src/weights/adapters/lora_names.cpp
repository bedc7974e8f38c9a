#include "weights/adapters/lora_names.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "weights/original/original_unet.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

struct Ending {
  std::string_view text;
  LoraPart part;
};

// Longer before shorter where one ends in the other.
constexpr std::array kEndings = {
    Ending{".lora_down.weight", LoraPart::kDown},  // kohya
    Ending{".lora_up.weight", LoraPart::kUp},
    Ending{".lora_mid.weight", LoraPart::kMid},
    Ending{".lora_A.weight", LoraPart::kDown},  // PEFT
    Ending{".lora_B.weight", LoraPart::kUp},
    Ending{".lora.down.weight", LoraPart::kDown},  // diffusers
    Ending{".lora.up.weight", LoraPart::kUp},
    Ending{".lora_linear_layer.down.weight", LoraPart::kDown},
    Ending{".lora_linear_layer.up.weight", LoraPart::kUp},
    Ending{"_lora.down.weight", LoraPart::kDown},  // its old attention processors
    Ending{"_lora.up.weight", LoraPart::kUp},
    Ending{".lora_linear_layer.alpha", LoraPart::kAlpha},
    Ending{".lora.alpha", LoraPart::kAlpha},
    Ending{"_lora.alpha", LoraPart::kAlpha},
    Ending{".alpha", LoraPart::kAlpha},
    Ending{".lora_magnitude_vector", LoraPart::kMagnitude},
    Ending{".lora_magnitude_vector.weight", LoraPart::kMagnitude},
    Ending{".dora_scale", LoraPart::kDoraScale},
    Ending{".hada_w1_a", LoraPart::kHada1A},  // LyCORIS
    Ending{".hada_w1_b", LoraPart::kHada1B},
    Ending{".hada_w2_a", LoraPart::kHada2A},
    Ending{".hada_w2_b", LoraPart::kHada2B},
    Ending{".hada_t1", LoraPart::kHadaT1},
    Ending{".hada_t2", LoraPart::kHadaT2},
    Ending{".lokr_w1", LoraPart::kLokr1},
    Ending{".lokr_w1_a", LoraPart::kLokr1A},
    Ending{".lokr_w1_b", LoraPart::kLokr1B},
    Ending{".lokr_w2", LoraPart::kLokr2},
    Ending{".lokr_w2_a", LoraPart::kLokr2A},
    Ending{".lokr_w2_b", LoraPart::kLokr2B},
    Ending{".lokr_t2", LoraPart::kLokrT2},
    Ending{".diff", LoraPart::kDiff},
    Ending{".diff_b", LoraPart::kDiffBias},
    Ending{".w_norm", LoraPart::kDiff},
    Ending{".b_norm", LoraPart::kDiffBias}};

struct Beginning {
  std::string_view text;
  std::string_view component;
};

// The first that fits.
constexpr std::array kBeginnings = {
    Beginning{"base_model.model.text_model.", "text_encoder"},
    Beginning{"base_model.model.", "unet"},
    Beginning{"lora_unet_", "unet"},
    Beginning{"unet.", "unet"},
    Beginning{"model.diffusion_model.", "unet"},
    Beginning{"diffusion_model.", "unet"},
    Beginning{"lora_te2_", "text_encoder_2"},
    Beginning{"text_encoder_2.", "text_encoder_2"},
    Beginning{"lora_te1_", "text_encoder"},
    Beginning{"lora_te_", "text_encoder"},
    Beginning{"text_encoder.", "text_encoder"},
    Beginning{"lycoris_te2_", "text_encoder_2"},
    Beginning{"lycoris_te1_", "text_encoder"},
    Beginning{"lycoris_te_", "text_encoder"},
    Beginning{"lycoris_text_model_", "text_encoder"},
    Beginning{"lycoris_unet_", "unet"},
    Beginning{"lycoris_", "unet"},
    Beginning{"text_model.", "text_encoder"},
};

bool replace_end(std::string& text, std::string_view from, std::string_view to) {
  if (!text.ends_with(from)) return false;
  text.resize(text.size() - from.size());
  text += to;
  return true;
}

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// Names of diffusers' attention processors, which knew the attention's matrices by the UNet's names
// everywhere.
void rename_processor(std::string& layer, bool is_text) {
  const std::string processor = "_processor_";
  if (const auto at = layer.find(processor); at != std::string::npos) layer.erase(at, processor.size() - 1);
  if (!is_text) {
    replace_end(layer, "_to_out", "_to_out_0");
    return;
  }
  for (const auto& [old_name, new_name] :
       {std::pair{"_to_q", "_q_proj"}, {"_to_k", "_k_proj"}, {"_to_v", "_v_proj"}, {"_to_out", "_out_proj"}})
    if (replace_end(layer, old_name, new_name)) return;
}

// PEFT's parts, behind which a model in memory has the adapter's name.
constexpr std::array<std::string_view, 6> kNamedParts = {
    ".lora_A.", ".lora_B.", ".lora_magnitude_vector.", ".lora_down.", ".lora_up.", ".lora_mid."};

}  // namespace

std::string without_adapter_name(const std::string& key) {
  for (const std::string_view part : kNamedParts) {
    const auto at = key.rfind(part);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + part.size(), end = key.find('.', begin);
    if (end == std::string::npos && key.substr(begin) != "weight")  // a magnitude as it is in memory
      return key.substr(0, begin - 1);
    if (end != std::string::npos && key.substr(end) == ".weight") return key.substr(0, begin - 1) + ".weight";
  }
  return key;
}

std::optional<std::pair<std::string, LoraPart>> split_lora_key(const std::string& named_key) {
  const std::string key = without_adapter_name(named_key);
  for (const Ending& ending : kEndings)
    if (key.ends_with(ending.text) && key.size() > ending.text.size())
      return std::pair(key.substr(0, key.size() - ending.text.size()), ending.part);
  return std::nullopt;
}

LoraPlace lora_place(const std::string& module) {
  const auto beginning = std::find_if(kBeginnings.begin(), kBeginnings.end(),
                                      [&](const Beginning& each) { return module.starts_with(each.text); });
  LoraPlace place{"unet", underscored(module)};
  if (beginning != kBeginnings.end()) {
    place.component = beginning->component;
    place.layer.erase(0, beginning->text.size());
  }
  const bool is_text = place.component != "unet";
  if (is_text && place.layer.starts_with("text_model_")) place.layer.erase(0, 11);
  rename_processor(place.layer, is_text);
  return place;
}

std::map<std::string, std::string> lora_layers(const TensorSource& tensors, const std::string& component) {
  std::map<std::string, std::string> layers;
  const bool is_unet = component == "unet";
  NameMap originals;
  if (is_unet)
    originals =
        unet_names(diffusers_unet_layout(tensors), has_tensor(tensors, "add_embedding.linear_1.weight"));
  for (const std::string& key : tensors.keys()) {
    if (!key.ends_with(".weight") && !key.ends_with(".bias")) continue;
    const std::string stored = key.substr(0, key.rfind('.'));
    const std::string layer = stored.starts_with("text_model.") ? stored.substr(11) : stored;
    layers.emplace(underscored(layer), stored);
    if (!is_unet) continue;
    if (const auto original = originals.to_original(key))
      layers.emplace(underscored(original->substr(0, original->rfind('.'))), stored);
  }
  return layers;
}

}  // namespace sdgen
