// Qwen3's text encoder in a file of its own, or in a whole model's, and what shapes tell of it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/json_file.h"
#include "weights/edited_source.h"
#include "weights/tensor_source.h"

namespace sdgen {

// transformers' tensors by name, with `model.` in front as Qwen3ForCausalLM stores them; nothing: the file
// holds no Qwen3.
std::optional<std::map<std::string, EditedTensor>> qwen3_tensors(const TensorSource& source);

// The config.json that transformers would write for these tensors; rope_theta and rms_norm_eps are those of
// every Qwen3. Throws Error(kInput) naming file and key.
Json qwen3_config(const TensorSource& text);

}  // namespace sdgen
