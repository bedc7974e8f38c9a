// What a UNet's config.json says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "nn/layers.h"

namespace sdgen {

struct UnetConfig {
  std::int64_t sample_height = 64;  // latents
  std::int64_t sample_width = 64;
  std::int64_t in_channels = 4;
  std::int64_t out_channels = 4;
  std::vector<std::string> down_block_types, up_block_types;
  enum class MidBlock { kNone, kResnet, kCrossAttention };
  MidBlock mid_block = MidBlock::kCrossAttention;
  std::vector<std::int64_t> block_out_channels;
  // One entry a down block, from the outside in; diffusers spells a single value or a list.
  std::vector<std::int64_t> layers_per_block;
  std::vector<std::int64_t> heads;  // diffusers' `attention_head_dim` counts heads in these models
  std::vector<std::int64_t> cross_attention_dim;
  // Transformer blocks, [block][layer]; up_transformer_layers from the inside out.
  std::vector<std::vector<std::int64_t>> down_transformer_layers, up_transformer_layers;
  std::int64_t mid_transformer_layers = 1;
  std::vector<bool> only_cross_attention;
  std::int64_t groups = 32;
  double norm_eps = 1e-5;
  Activation activation = Activation::kSilu;
  bool linear_projection = false;
  bool flip_sin_to_cos = true;
  double freq_shift = 0.0;
  bool scale_shift = false;  // resnet_time_scale_shift: default or scale_shift
  std::int64_t downsample_padding = 1;
  double mid_block_scale_factor = 1.0;
  bool center_input_sample = false;
  std::int64_t conv_in_kernel = 3;
  std::int64_t conv_out_kernel = 3;
  bool older_than_0_9 = false;  // written by a diffusers before 0.9
  // Stable Diffusion XL's addition_embed_type text_time ("SDXL: Improving Latent Diffusion Models ...",
  // section 2.2): the width of pooled text and of each embedded number together; 0: none.
  std::int64_t added_width = 0;
  std::int64_t addition_time_embed_dim = 256;  // of each number
  // The guidance scale told to the network ("On Distillation of Guided Diffusion Models", section 3.1), width
  // of its embedding; 0: none.
  std::int64_t time_cond_proj_dim = 0;

  // Reads unet/config.json. Throws Error(kInput) naming file and key for what is missing, inconsistent or not
  // supported (class embeddings, other block types).
  static UnetConfig read(const Config& config);
  // The same of a network that has no way up (ControlNet): up_block_types and up_transformer_layers stay
  // empty.
  static UnetConfig read_trunk(const Config& config);
};

}  // namespace sdgen
