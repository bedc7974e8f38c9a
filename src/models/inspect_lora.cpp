#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "models/inspect_parts.h"
#include "plain/errors.h"
#include "weights/adapters/lora_names.h"

namespace sdgen {
namespace {

// The tensor of a pair or four that has the rank, and which of its sizes that is.
struct LoraForm {
  const char* ending;
  const char* kind;
  std::size_t rank_dimension;
};

constexpr std::array kForms = {
    LoraForm{".lora_down.weight", "LoRA (kohya)", 0},
    LoraForm{".lora_A.weight", "LoRA (PEFT)", 0},
    LoraForm{".lora.down.weight", "LoRA (diffusers)", 0},
    LoraForm{"_lora.down.weight", "LoRA (diffusers)", 0},
    LoraForm{".lora_linear_layer.down.weight", "LoRA (diffusers)", 0},
    LoraForm{".hada_w1_b", "LyCORIS LoHa", 0},
    LoraForm{".lokr_w1_b", "LyCORIS LoKr", 0},
    LoraForm{".lokr_w2_b", "LyCORIS LoKr", 0},
    LoraForm{".lokr_w2", "LyCORIS LoKr", 4},  // whole: no rank
    LoraForm{".lokr_w1", "LyCORIS LoKr", 4},
    LoraForm{".diff", "LyCORIS full difference", 4},
};

// What a key's beginning says it changes; the first that fits.
struct Target {
  const char* beginning;
  const char* component;
};

constexpr std::array kTargets = {
    Target{"lora_unet_", "unet"},
    Target{"unet.", "unet"},
    Target{"base_model.model.text_model.", "text_encoder"},
    Target{"base_model.model.", "unet"},
    Target{"lora_te2_", "text_encoder_2"},
    Target{"text_encoder_2.", "text_encoder_2"},
    Target{"lora_te1_", "text_encoder"},
    Target{"lora_te_", "text_encoder"},
    Target{"text_encoder.", "text_encoder"},
    Target{"lycoris_", "unet"},
    Target{"down_blocks.", "unet"},
    Target{"mid_block.", "unet"},
    Target{"up_blocks.", "unet"},
    Target{"transformer.", "transformer"},
};

const LoraForm* form_of(const std::string& named_key) {
  const std::string key = without_adapter_name(named_key);
  const auto form = std::find_if(kForms.begin(), kForms.end(),
                                 [&](const LoraForm& each) { return key.ends_with(each.ending); });
  return form == kForms.end() ? nullptr : &*form;
}

std::string component_of(const std::string& key) {
  for (const Target& target : kTargets)
    if (key.starts_with(target.beginning)) return target.component;
  return "other";
}

// The blocks of a UNet, whatever separates the words of its names.
std::string block_of(const std::string& key) {
  for (const char* block :
       {"down_blocks", "mid_block", "up_blocks", "input_blocks", "middle_block", "output_blocks"})
    if (key.find(block) != std::string::npos) return block;
  return "";
}

std::string list_of(const std::set<std::int64_t>& numbers) {
  std::vector<std::string> texts;
  for (const std::int64_t number : numbers) texts.push_back(std::to_string(number));
  return join(texts);
}

std::string alphas_of(const TensorSource& source) {
  std::set<std::string> alphas;
  for (const std::string& key : source.keys()) {
    if (!key.ends_with(".alpha") || alphas.size() >= 8) continue;
    const auto& shape = source.find(key)->shape;
    if (std::all_of(shape.begin(), shape.end(), [](std::int64_t size) { return size == 1; }))
      if (const at::Tensor alpha = source.read(key); alpha.numel() == 1)
        alphas.insert(concat(alpha.to(at::kDouble).item<double>()));
  }
  return join({alphas.begin(), alphas.end()});
}

// The width of the words that its cross-attentions look at, by any naming.
std::int64_t words_width(const TensorSource& source) {
  for (const std::string& stored : source.keys()) {
    if (stored.find("attn2") == std::string::npos) continue;
    const LoraForm* const form = form_of(stored);
    const auto& shape = source.find(stored)->shape;
    if (!form || shape.size() < 2) continue;
    const std::string key = without_adapter_name(stored);
    const std::string_view layer(key.data(), key.size() - std::string_view(form->ending).size());
    for (const char* attention : {"attn2_to_k", "attn2.to_k", "attn2.processor.to_k"})
      if (layer.ends_with(attention)) return shape[1];
  }
  return 0;
}

std::string lora_family(const TensorSource& source, const std::set<std::string>& components) {
  if (components.contains("transformer")) return "";
  if (components.contains("text_encoder_2")) return family_of_words(2048);
  return family_of_words(words_width(source));
}

}  // namespace

bool inspect_lora(const TensorSource& source, Inspection& inspection) {
  std::map<std::string, std::size_t> layers;  // by component, and by block of the UNet
  std::set<std::string> kinds, components;
  std::set<std::int64_t> ranks;
  for (const std::string& key : source.keys()) {
    const LoraForm* const form = form_of(key);
    if (!form) continue;
    kinds.insert(form->kind);
    const auto& shape = source.find(key)->shape;
    if (form->rank_dimension < shape.size()) ranks.insert(shape[form->rank_dimension]);
    const std::string component = component_of(key), block = block_of(key);
    components.insert(component);
    ++layers[block.empty() ? component : component + "." + block];
  }
  if (kinds.empty()) return false;
  const auto keys = source.keys();
  if (std::any_of(keys.begin(), keys.end(), [](const auto& key) {
        return key.ends_with(".dora_scale") || key.find("lora_magnitude_vector") != std::string::npos;
      }))
    kinds.insert("DoRA");
  inspection.kind = "lora";
  inspection.family = lora_family(source, components);
  inspection.facts.emplace_back("form", join({kinds.begin(), kinds.end()}));
  if (!ranks.empty()) inspection.facts.emplace_back("rank", list_of(ranks));
  if (const std::string alphas = alphas_of(source); !alphas.empty())
    inspection.facts.emplace_back("alpha", alphas);
  for (const auto& [place, count] : layers)
    inspection.facts.emplace_back(place, std::to_string(count) + (count == 1 ? " layer" : " layers"));
  inspection.components.push_back(inspected_component("lora", "", source));
  return true;
}

}  // namespace sdgen
