// Residual blocks, resampling and timestep embeddings shared by the UNet and the autoencoder.
#pragma once

#include <optional>

#include "nn/layers.h"

namespace sdgen {

// diffusers' ResnetBlock2D: norm, act, conv, (+ timestep), norm, act, conv, added to the input.
struct ResnetBlock {
  struct Config {
    std::int64_t in = 0;
    std::int64_t out = 0;
    std::int64_t time_width = 0;  // width of the timestep embedding, 0: none
    std::int64_t groups = 32;
    double eps = 1e-5;
    Activation activation = Activation::kSilu;
    bool scale_shift = false;   // the timestep scales and shifts the second norm instead of being added
    double output_scale = 1.0;  // the sum is divided by it
  };
  GroupNorm norm1;
  Conv2d conv1;
  std::optional<Linear> time_emb_proj;
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> conv_shortcut;
  Activation activation;
  bool scale_shift;
  double output_scale;

  ResnetBlock(const Weights& weights, const Config& config);
  // x [N, in, h, w], time_embedding [1 or N, time_width] or undefined -> [N, out, h, w]
  Tensor operator()(const Tensor& x, const Tensor& time_embedding = {}) const;
};

// Halves a map by a strided convolution. Padding 0 means the autoencoder's: one row and column, right and
// below only.
struct Downsample {
  Conv2d conv;

  Downsample(const Weights& weights, std::int64_t channels, std::int64_t padding);
  Tensor operator()(const Tensor& x) const;  // [N, C, h, w] -> [N, C, h/2, w/2]
};

// Nearest-neighbour to `size` (h, w), then a convolution.
struct Upsample {
  Conv2d conv;

  Upsample(const Weights& weights, std::int64_t channels);
  Tensor operator()(const Tensor& x, at::IntArrayRef size) const;  // [N, C, h, w] -> [N, C, size]
};

// Sinusoids of a timestep ("Denoising Diffusion Probabilistic Models", appendix B): [N] float32 -> [N, width]
// float32. flip_sin_to_cos puts the cosines first; freq_shift is diffusers' downscale_freq_shift.
Tensor timestep_embedding(const Tensor& timesteps, std::int64_t width, bool flip_sin_to_cos,
                          double freq_shift);

// The same of a guidance scale w, as latent consistency models take it: of 1000 (w - 1), sines first.
// [1] float32 -> [1, width] float32
Tensor guidance_embedding(const Tensor& guidance_scale, std::int64_t width);

}  // namespace sdgen
