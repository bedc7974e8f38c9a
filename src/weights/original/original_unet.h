// The UNet of Stable Diffusion under the names of its original code (CompVis, Stability): numbered
// input_blocks, middle_block and output_blocks, which diffusers calls by level and layer.
#pragma once

#include <vector>

#include "base/json_file.h"
#include "weights/original/name_map.h"
#include "weights/tensor_source.h"

namespace sdgen {

// How many resnets each level has, from the outside in on the way down, from the inside out on the way up.
struct UnetLayout {
  std::vector<int> down;
  std::vector<int> up;
  std::vector<bool> up_attends;  // whether the level's last resnet is followed by an attention
};

// `keys` are original names without prefix. Empty levels where these are none of a UNet.
UnetLayout original_unet_layout(const std::vector<std::string>& keys);

// The same from diffusers' names.
UnetLayout diffusers_unet_layout(const TensorSource& unet);

// `is_text_time`: the label embedding is SDXL's (add_embedding), not unCLIP's (class_embedding).
NameMap unet_names(const UnetLayout& layout, bool is_text_time);

// What diffusers' config.json of these tensors (in its names) says, from their shapes: all but sample_size
// and upcast_attention. Throws Error(kInput) naming file and key where a tensor that decides is missing or
// misshapen, or where diffusers has no config for such a UNet.
Json unet_config(const TensorSource& unet);

// The same of a network that has a UNet's way down and middle only (ControlNet), without _class_name, and
// without cross_attention_dim where nothing in it looks at words.
Json trunk_config(const TensorSource& trunk);

}  // namespace sdgen
