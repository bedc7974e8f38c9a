// TAESD's files: its decoder, its encoder or both, under diffusers' names or those of the original code,
// where each half is a file of numbered layers.
#pragma once

#include <memory>

#include "base/json_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

bool is_tiny_vae(const TensorSource& source);

// In diffusers' names.
std::shared_ptr<const TensorSource> tiny_vae_tensors(const std::shared_ptr<const TensorSource>& source);

// The config.json of an AutoencoderTiny of these tensors (in diffusers' names), from their names and shapes.
// Throws Error(kInput) naming file and remedy where there is no decoder.
Json tiny_vae_config(const TensorSource& vae);

}  // namespace sdgen
