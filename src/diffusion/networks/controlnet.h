// ControlNet: a copy of a UNet's way down that has also seen a picture, and adds what it makes of it to the
// UNet's features through convolutions that training began at zero ("Adding Conditional Control to
// Text-to-Image Diffusion Models", section 3.1 and 3.2; layout and names as diffusers' ControlNetModel).
#pragma once

#include <vector>

#include "diffusion/networks/unet.h"

namespace sdgen {

struct ControlNetConfig {
  UnetConfig trunk;
  std::vector<std::int64_t> hint_channels;  // conditioning_embedding_out_channels: halved in size between two
  bool bgr = false;                         // the picture's channels are seen in this order

  // How many pixels of the picture, a side, become one of the latents'.
  std::int64_t pixels_per_latent() const { return std::int64_t{1} << (hint_channels.size() - 1); }

  // Reads config.json. Throws Error(kInput) naming file and key for what is missing, inconsistent or not
  // supported (global_pool_conditions, class embeddings, pictures of other than three channels).
  static ControlNetConfig read(const Config& config);
};

class ControlNet {
 public:
  ControlNet(const Weights& weights, const ControlNetConfig& config, Residency residency = Residency());

  // See Unet::text().
  UnetText text(const Tensor& context, const AddedConditions& added = {}) const;

  // What the picture says, once a run: [N, 3, H, W] RGB, 0 to 1 -> [N, block_out_channels[0], h, w]
  Tensor hint(const Tensor& picture) const;

  // sample, timesteps, text and hooks as in Unet, `hint` of N rows or one -> what is added to the UNet's
  // skips and middle, of N or M rows.
  UnetResiduals operator()(const Tensor& sample, const Tensor& timesteps, const UnetText& text,
                           const Tensor& hint, const AttentionHooks* hooks = nullptr) const;

 private:
  bool bgr_;
  UnetTrunk trunk_;
  std::vector<Conv2d> hint_convs_;
  std::vector<Conv2d> skip_convs_;  // one a skip, 1x1
  Conv2d mid_conv_;                 // 1x1
};

// Which of `count` evaluations lie within the part of them from `start` to `end`, 0 to 1.
std::vector<bool> evaluations_within(double start, double end, std::size_t count);

}  // namespace sdgen
