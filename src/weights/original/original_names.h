// The way back: a model in diffusers' names as one file under the original names.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/json_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

// The components ("unet", "vae", "text_encoder", "text_encoder_2", in diffusers' and transformers' names)
// under the names of the original code. `text_is_open_clip`: the first text encoder is OpenCLIP's (Stable
// Diffusion 2). Throws Error(kInput) naming file and key for a tensor that has no original name.
std::shared_ptr<const TensorSource> original_checkpoint(
    const std::string& description,
    const std::map<std::string, std::shared_ptr<const TensorSource>>& components, bool text_is_open_clip);

}  // namespace sdgen
