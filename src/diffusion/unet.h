// UNet2DConditionModel: latents and timestep in, words beside them, the prediction out ("High-Resolution
// Image Synthesis with Latent Diffusion Models", section 3.3; layout and names as in diffusers).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "nn/attention.h"
#include "nn/resnet.h"

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
};

// What a UNet may be told besides the words, once a run. Undefined where its config asks for none of it.
struct AddedConditions {
  Tensor pooled;          // [M, P] the texts' summaries
  Tensor numbers;         // [M, n] float32: sizes and crops (time_ids), embedded one by one
  Tensor guidance_scale;  // [1] float32
};

class Unet {
 public:
  Unet(const Weights& weights, const UnetConfig& config);

  // What the stages on the way give, for tests and curious readers.
  struct Trace {
    Tensor time_embedding;  // [N, 4 * block_out_channels[0]]
    Tensor first_down;      // after down_blocks.0
    Tensor mid;             // after mid_block
  };

  // The words as every cross-attention layer sees them: made once a run, not once a step.
  struct Text {
    std::int64_t rows = 0;
    std::vector<TransformerText> transformers;  // in the order of the forward pass
    Tensor added;      // [M, 4 * block_out_channels[0]], added to the time embedding; or undefined
    Tensor condition;  // [1, block_out_channels[0]], added to the timestep's sinusoids; or undefined
  };
  // context [M, L, cross_attention_dim]
  Text text(const Tensor& context, const AddedConditions& added = {}) const;

  // sample [N, in_channels, h, w], timesteps [1 or N] float32, `text` of M rows -> [M, out_channels, h, w],
  // channels_last. M is N or a multiple of it: then row i of the sample is seen with texts i, N + i, ...
  // (guidance: with and without the words), and what lies before the first word is computed once. `hooks`
  // watch or replace attention.
  Tensor operator()(const Tensor& sample, const Tensor& timesteps, const Text& text, Trace* trace = nullptr,
                    const AttentionHooks* hooks = nullptr) const;

 private:
  struct Block {
    std::vector<ResnetBlock> resnets;
    std::vector<Transformer2d> attentions;  // empty, or one a resnet (the mid block has one fewer)
    std::optional<Downsample> downsample;
    std::optional<Upsample> upsample;
  };

  Tensor time_embedding(const Tensor& timesteps, const Text& text, at::ScalarType dtype) const;
  Tensor added_embedding(const AddedConditions& added, at::ScalarType dtype) const;
  Block down_block(const Weights& weights, std::size_t index) const;
  Block up_block(const Weights& weights, std::size_t index) const;
  Block mid_block(const Weights& weights) const;
  ResnetBlock resnet(const Weights& weights, std::int64_t in, std::int64_t out,
                     double output_scale = 1.0) const;
  Transformer2d transformer(const Weights& weights, std::size_t level, std::int64_t depth,
                            bool only_cross) const;

  UnetConfig config_;
  Conv2d conv_in_;
  Linear time_linear1_, time_linear2_;
  std::optional<Linear> time_cond_proj_, added_linear1_, added_linear2_;
  std::vector<Block> down_blocks_;
  std::optional<Block> mid_block_;
  std::vector<Block> up_blocks_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
};

}  // namespace sdgen
