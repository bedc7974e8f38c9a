// The many names that LoRA files give to the layers of a model.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "weights/adapters/lora_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

// A key without the name that PEFT gives an adapter: "x.lora_A.default_0.weight" is "x.lora_A.weight".
std::string without_adapter_name(const std::string& key);

// The part that a key stores and the module it is of; nothing where the ending is not known.
std::optional<std::pair<std::string, LoraPart>> split_lora_key(const std::string& key);

// `module`: "lora_unet_down_blocks_0_...", "unet.down_blocks.0...", "text_encoder.text_model...", ... Names
// without a component are the UNet's, or, where they begin with text_model, the text encoder's.
LoraPlace lora_place(const std::string& module);

// The layers of a component by their names with underscores, where kohya's names lost the dots: our own names
// and, of the UNet, those of the original code. `tensors`: with diffusers' names (transformers 5's, without
// `text_model.`). A layer is a tensor's name without `.weight` or `.bias`.
std::map<std::string, std::string> lora_layers(const TensorSource& tensors, const std::string& component);

}  // namespace sdgen
