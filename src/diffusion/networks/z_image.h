// ZImageTransformer2DModel: latents, timestep and words in, the flow's velocity out ("Z-Image: An Efficient
// Image Generation Foundation Model with Single-Stream Diffusion Transformer"; layout and names as in
// diffusers). Patches of 2x2 latents and the words' states are tokens of one sequence, each part padded to a
// multiple of 32 by a learned token that takes part like any other.
#pragma once

#include <string>
#include <vector>

#include "diffusion/network.h"
#include "diffusion/networks/z_image_block.h"
#include "nn/axial_rope.h"

namespace sdgen {

class ZImage : public Network {
 public:
  // Layers beyond what `residency` admits are read anew whenever they are used.
  ZImage(const Weights& weights, const ZImageConfig& config, Residency residency = Residency());

  // The words [M, L, cap_feat_dim], without padding, are embedded and refined once. What predict() gives is
  // the velocity noise - x0, at timesteps of 0 (the picture) to 1000 (noise); sides of x must be even. The
  // hook on_cross is told, of each main layer, what patches pay to the words among all tokens; the other
  // hooks are not called. Token weights are of what the main layers' patches get of the words. Throws
  // Error(kRequest) for ControlNets and extra channels, which it does not know.
  PreparedNetwork prepare(const NetworkInputs& inputs, const Compute& compute) const override;

  double input_norm(const Level&) const override { return 1.0; }

  bool streams() const override { return streams_; }

  // [M, L, cap_feat_dim] -> [M, L padded to 32, dim]
  Tensor words(const Tensor& context) const;

  // x [N, in_channels, h, w], timestep [1] float32, `words` of M rows (N or a multiple of it) that hold
  // `length` tokens before the padding -> [M, in_channels, h, w]; `weights`: [M, length, 1], or undefined
  Tensor operator()(const Tensor& x, const Tensor& timestep, const Tensor& words, std::int64_t length,
                    const AttentionHooks* hooks = nullptr, const Tensor& weights = {}) const;

 private:
  Tensor time_embedding(const Tensor& timestep, at::ScalarType dtype) const;  // [1, time_width]
  Tensor picture_rotations(std::int64_t h, std::int64_t w, std::int64_t text_tokens) const;  // of patches
  Tensor velocity(const Tensor& tokens, const Tensor& time, at::IntArrayRef size) const;

  ZImageConfig config_;
  AxialRope rope_;
  Linear x_embedder_;
  RmsNorm cap_norm_;
  Linear cap_linear_;
  Linear time_linear1_, time_linear2_;
  Tensor x_pad_token_, cap_pad_token_;  // [1, dim]
  std::vector<Streamed<ZImageBlock>> noise_refiner_, context_refiner_, layers_;
  Linear final_modulation_, final_linear_;
  bool streams_ = false;
};

// A ZImage by its config.
class ZImageModel : public NetworkModel {
 public:
  explicit ZImageModel(ZImageConfig config) : config_(std::move(config)) {}

  const ZImageConfig& config() const { return config_; }

  std::unique_ptr<const Network> build(const Weights& weights, Residency residency) const override;
  // Blocks: "layers.3", "noise_refiner.0", "context_refiner.1".
  std::string streamed_layer(const std::string& key) const override;
  // Of the tokens' copies that a block works on, with the longest text that pipelines let through.
  std::uint64_t work_bytes(const NetworkSize& size, std::uint64_t element_bytes) const override;

  std::int64_t in_channels() const override { return config_.in_channels; }
  std::int64_t patch() const override { return 2; }
  bool is_steerable() const override { return false; }
  std::int64_t native_height() const override { return kNativeLatents; }
  std::int64_t native_width() const override { return kNativeLatents; }

 private:
  static constexpr std::int64_t kNativeLatents = 128;  // 1024 pixels a side; no config tells it

  ZImageConfig config_;
};

}  // namespace sdgen
