// What a LoRA makes of a layer's weight, by the formulas of the papers (see Adapter in sdgen/model_files.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weights/adapters/lora_file.h"

namespace sdgen {

// The layer that a module changes; an absent tensor's shape is empty.
struct LoraLayer {
  std::string name;  // in the model
  std::vector<std::int64_t> weight;
  std::vector<std::int64_t> bias;
};

// Throws Error(kInput) naming file, key, expected and found: a part without its other half, parts of two
// forms in one module, a rank of 0, a shape that does not fit the layer. Reads no tensor.
void check_lora_module(const LoraFile& file, const LoraModule& module, const LoraLayer& layer);

// Of a module that check_lora_module() passed: whether it changes the weight, the bias.
bool changes_weight(const LoraModule& module);
bool changes_bias(const LoraModule& module);

// weight + scale * (alpha / rank) * change, rescaled to DoRA's magnitudes where there are such; float32 like
// `weight`. Throws Error(kInput) naming file and layer if the change is not finite.
at::Tensor merged_weight(const LoraFile& file, const LoraModule& module, double scale,
                         const at::Tensor& weight);
at::Tensor merged_bias(const LoraFile& file, const LoraModule& module, double scale, const at::Tensor& bias);

}  // namespace sdgen
