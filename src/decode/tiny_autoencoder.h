// TAESD: a small decoder distilled from Stable Diffusion's, for pictures in a fraction of the time (Ollin
// Boer Bohan, "Tiny AutoEncoder for Stable Diffusion"; layout and names as in diffusers' AutoencoderTiny).
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <variant>
#include <vector>

#include "base/json_file.h"
#include "nn/layers.h"

namespace sdgen {

struct TinyAutoencoderConfig {
  std::int64_t latent_channels = 4;
  std::int64_t out_channels = 3;
  std::vector<std::int64_t> block_out_channels = {64, 64, 64, 64};  // the decoder's
  std::vector<std::int64_t> blocks = {3, 3, 3, 1};                  // of each level
  Activation activation = Activation::kRelu;
  double scaling_factor = 1.0;

  std::int64_t pixels_per_latent() const { return std::int64_t{1} << (blocks.size() - 1); }

  // Reads an AutoencoderTiny's config.json. Throws Error(kInput) naming file and key.
  static TinyAutoencoderConfig read(const Config& config);
};

class TinyDecoder {
 public:
  TinyDecoder(const Weights& weights, const TinyAutoencoderConfig& config);

  // latents [N, latent_channels, h, w], divided by scaling_factor -> pixels [N, 3, f*h, f*w], about -1 to 1
  Tensor operator()(const Tensor& latents) const;

 private:
  // relu(x + three convolutions)
  struct Block {
    std::array<Conv2d, 3> convs;
  };
  // Twice the size, then a convolution without a bias.
  struct Upsampling {
    Tensor weight;  // [C, C, 3, 3]
  };
  using Step = std::variant<Block, Upsampling>;

  TinyAutoencoderConfig config_;
  Conv2d conv_in_;
  std::vector<Step> steps_;
  Conv2d conv_out_;
};

// What --vae names: a diffusers folder of an AutoencoderTiny, or one file of the decoder's weights, under
// diffusers' names or those of the original code (taesd_decoder.safetensors).
struct TinyAutoencoderFiles {
  TinyAutoencoderConfig config;
  std::shared_ptr<const TensorSource> tensors;  // in diffusers' names
};

// Whether `path` is one of these.
bool is_tiny_autoencoder(const std::filesystem::path& path);

// Throws Error(kInput) naming file and key.
TinyAutoencoderFiles open_tiny_autoencoder(const std::filesystem::path& path);

}  // namespace sdgen
