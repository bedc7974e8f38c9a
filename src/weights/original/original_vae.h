// The autoencoder of Stable Diffusion under the names of its original code (CompVis): down.0 is the outermost
// level on the way in and up.0 on the way out.
#pragma once

#include <vector>

#include "base/json_file.h"
#include "weights/original/name_map.h"
#include "weights/tensor_source.h"

namespace sdgen {

// For an autoencoder of so many levels, of at most so many resnets each.
NameMap vae_names(int levels, int resnets);

// Levels of the autoencoder with these names: original ones without prefix, or diffusers'. 0: it is none.
int original_vae_levels(const std::vector<std::string>& keys);
int diffusers_vae_levels(const TensorSource& vae);

// The most resnets that a level may have for us.
constexpr int kMaxVaeResnets = 16;

// Whether a tensor, by its name in diffusers, is a matrix there and a 1x1 convolution in the original.
bool is_vae_attention_matrix(const std::string& diffusers_key);

// What diffusers' config.json of these tensors (in its names) says, from their shapes: all but sample_size
// and scaling_factor. Throws Error(kInput) naming file and key.
Json vae_config(const TensorSource& vae);

}  // namespace sdgen
