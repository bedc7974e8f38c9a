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

class Unet : public Network {
 public:
  // Layers beyond what `residency` admits are read anew whenever they are used.
  Unet(const Weights& weights, const UnetConfig& config, Residency residency = Residency());

  // The words' keys and values are made once, the ControlNets' as well. ControlNets see x without `channels`,
  // and what they add is summed up.
  PreparedNetwork prepare(const NetworkInputs& inputs, const Compute& compute) const override;

  bool streams() const override { return streams_; }

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

// A UNet by its config.
class UnetModel : public NetworkModel {
 public:
  explicit UnetModel(UnetConfig config) : config_(std::move(config)) {}

  const UnetConfig& config() const { return config_; }

  std::unique_ptr<const Network> build(const Weights& weights, Residency residency) const override;
  // Residual blocks and transformer blocks.
  std::string streamed_layer(const std::string& key) const override;
  // Of the maps that are kept for the way up and those at work on the largest level.
  std::uint64_t work_bytes(const NetworkSize& size, std::uint64_t element_bytes) const override;

  std::int64_t in_channels() const override { return config_.in_channels; }
  std::int64_t native_height() const override { return config_.sample_height; }
  std::int64_t native_width() const override { return config_.sample_width; }
  bool takes_guidance_scale() const override { return config_.time_cond_proj_dim > 0; }

 private:
  UnetConfig config_;
};

// The same estimate of a trunk (ControlNet), without attention that is written out.
std::uint64_t unet_work_bytes(const UnetConfig& config, const NetworkSize& size, std::uint64_t element_bytes);

}  // namespace sdgen
