// The way down and through the middle of a UNet: what ControlNets have a copy of.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diffusion/network.h"
#include "diffusion/networks/unet_config.h"
#include "nn/attention.h"
#include "nn/resnet.h"

namespace sdgen {

// The words as every cross-attention layer sees them: made once a run, not once a step.
struct UnetText {
  std::int64_t rows = 0;
  std::vector<TransformerText> transformers;  // in the order of the forward pass
  Tensor added;      // [M, 4 * block_out_channels[0]], added to the time embedding; or undefined
  Tensor condition;  // [1, block_out_channels[0]], added to the timestep's sinusoids; or undefined
};

struct UnetBlock {
  std::vector<Streamed<ResnetBlock>> resnets;
  std::vector<Transformer2d> attentions;  // empty, or one a resnet (the mid block has one fewer)
  std::optional<Downsample> downsample;
  std::optional<Upsample> upsample;
};

class UnetTrunk {
 public:
  UnetTrunk(const Weights& weights, const UnetConfig& config, Residency& residency);

  // Of the trunk's transformers. context [M, L, cross_attention_dim]
  UnetText text(const Tensor& context, const AddedConditions& added) const;

  // What the trunk makes of a sample. Rows are N until the first word is seen, then M; see Unet.
  struct Features {
    Tensor time;                // [1 or N or M, 4 * block_out_channels[0]]
    std::vector<Tensor> skips;  // of conv_in, each resnet (and its attention), each downsampling
    Tensor mid;
    std::size_t transformers = 0;  // seen so far
  };
  // sample [N, in_channels, h, w], timesteps [1 or N] float32, `text` of M rows. `hint`, where defined, is
  // added behind conv_in: [1 or N, block_out_channels[0], h, w].
  Features operator()(const Tensor& sample, const Tensor& timesteps, const UnetText& text,
                      const Tensor& hint = {}, const AttentionHooks* hooks = nullptr) const;

 private:
  Tensor time_embedding(const Tensor& timesteps, const UnetText& text, at::ScalarType dtype) const;
  Tensor added_embedding(const AddedConditions& added, at::ScalarType dtype) const;
  UnetBlock down_block(const Weights& weights, std::size_t index, Residency& residency) const;
  UnetBlock mid_block(const Weights& weights, Residency& residency) const;
  void down(const UnetText& text, const AttentionHooks* hooks, Features& features) const;

  UnetConfig config_;
  Conv2d conv_in_;
  Linear time_linear1_, time_linear2_;
  std::optional<Linear> time_cond_proj_, added_linear1_, added_linear2_;
  std::vector<UnetBlock> down_blocks_;
  std::optional<UnetBlock> mid_block_;
};

// A layer of a UNet as its config has them; `level` is that of the down block of its resolution.
Streamed<ResnetBlock> unet_resnet(Residency& residency, const Weights& weights, const UnetConfig& config,
                                  std::int64_t in, std::int64_t out, double output_scale = 1.0);
Transformer2d unet_transformer(Residency& residency, const Weights& weights, const UnetConfig& config,
                               std::size_t level, std::int64_t depth, bool only_cross);

// Whether blocks of that type have cross-attention.
bool has_attention(const std::string& block_type);

// The time of as many rows as x has.
Tensor time_of_rows(const Tensor& time, const Tensor& x);

// x + y, of as many rows as the longer has.
Tensor sum_of_rows(const Tensor& x, const Tensor& y);

}  // namespace sdgen
