// ControlNets that are stored as what they differ by from the UNet that they began as.
#pragma once

#include <memory>

#include "weights/tensor_source.h"

namespace sdgen {

enum class ControlNetForm {
  kWhole,
  kDifference,  // marked by a tensor `difference`: the UNet's weights are to be added
  kLora,        // marked by `lora_controlnet`: the UNet's weights, or those plus up times down, or its own
};

ControlNetForm controlnet_form(const TensorSource& file);

// The whole ControlNet, in diffusers' names, that `file`, of a form that is not whole, makes of `unet`, a
// UNet in diffusers' names; what both have a part in is float32. Throws Error(kInput) naming file and key
// where it does not fit that UNet.
std::shared_ptr<const TensorSource> controlnet_over(const std::shared_ptr<const TensorSource>& file,
                                                    const std::shared_ptr<const TensorSource>& unet);

}  // namespace sdgen
