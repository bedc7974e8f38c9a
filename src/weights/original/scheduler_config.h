// The scheduler of a checkpoint that brings no config of its own.
#pragma once

#include <string>

#include "base/json_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

// Which Stable Diffusion a UNet is, by the width of the words it looks at.
enum class Generation { k1, k2, kXl };

// scheduler_config.json as the model's own repository has it: PNDM for 1.x, DDIM for 2.x, Euler for SDXL.
// Euler's place is taken by EDM's solver where there are `edm_mean` and `edm_std` (Playground 2.5).
// The prediction type is that of the file's markers: tensors `v_pred` and `ztsnr`, metadata
// modelspec.prediction_type and modelspec.architecture; for 2.x without markers v_prediction, but for its
// first base model (global_step 875000) and inpainting.
Json scheduler_config(const TensorSource& source, Generation generation, const std::string& pipeline_class);

}  // namespace sdgen
