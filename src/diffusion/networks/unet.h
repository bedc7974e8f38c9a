// UNet2DConditionModel: latents and timestep in, words beside them, the prediction out ("High-Resolution
// Image Synthesis with Latent Diffusion Models", section 3.3; layout and names as in diffusers).
#pragma once

#include <string>
#include <vector>

#include "diffusion/networks/unet_trunk.h"

namespace sdgen {

// What is added to a UNet's features on their way ("Adding Conditional Control to Text-to-Image Diffusion
// Models", section 3.2).
struct UnetResiduals {
  std::vector<Tensor> skips;  // one a skip, in the order of UnetTrunk::Features, of N or M rows
  Tensor mid;                 // to what leaves the mid block
};

// Whether a tensor of that name belongs to a layer that can be streamed: to a residual block or a transformer
// block. If so, the layer's name, e.g. "mid_block.resnets.0"; else empty.
std::string streamed_layer(const std::string& key);

class Unet {
 public:
  // Layers beyond what `residency` admits are read anew whenever they are used.
  Unet(const Weights& weights, const UnetConfig& config, Residency residency = Residency());

  // Whether some layers are: then nothing of it can be recorded.
  bool streams() const { return streams_; }

  // What the stages on the way give, for tests and curious readers.
  struct Trace {
    Tensor time_embedding;  // [N, 4 * block_out_channels[0]]
    Tensor first_down;      // after down_blocks.0
    Tensor mid;             // after mid_block, without residuals
  };

  using Text = UnetText;
  // context [M, L, cross_attention_dim]
  Text text(const Tensor& context, const AddedConditions& added = {}) const;

  // sample [N, in_channels, h, w], timesteps [1 or N] float32, `text` of M rows -> [M, out_channels, h, w],
  // channels_last. M is N or a multiple of it: then row i of the sample is seen with texts i, N + i, ...
  // (guidance: with and without the words), and what lies before the first word is computed once. `hooks`
  // watch or replace attention; `residuals` are added to what the way up sees.
  Tensor operator()(const Tensor& sample, const Tensor& timesteps, const Text& text, Trace* trace = nullptr,
                    const AttentionHooks* hooks = nullptr, const UnetResiduals* residuals = nullptr) const;

 private:
  UnetBlock up_block(const Weights& weights, std::size_t index, Residency& residency) const;

  UnetConfig config_;
  UnetTrunk trunk_;
  std::vector<UnetBlock> up_blocks_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
  bool streams_ = false;
};

}  // namespace sdgen
