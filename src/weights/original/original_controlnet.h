// ControlNets in a single file, under the names of the original code (lllyasviel's ControlNet) or diffusers'.
#pragma once

#include <memory>

#include "base/json_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

bool is_controlnet(const TensorSource& source);

// The ControlNet's own tensors in diffusers' names. Throws Error(kInput) naming the file where it holds none.
std::shared_ptr<const TensorSource> controlnet_tensors(const std::shared_ptr<const TensorSource>& source);

// The same of a control LoRA, `unet` being the UNet, in diffusers' names, that it is to: names may end in .up
// and .down.
std::shared_ptr<const TensorSource> control_lora_tensors(const std::shared_ptr<const TensorSource>& source,
                                                         const TensorSource& unet);

// What diffusers' config.json of these tensors (in its names) says, from their shapes. Throws Error(kInput)
// naming file and key where a tensor that decides is missing or misshapen.
Json controlnet_config(const TensorSource& controlnet);

}  // namespace sdgen
