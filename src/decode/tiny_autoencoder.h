// TAESD: small halves distilled from Stable Diffusion's autoencoder, for pictures in a fraction of the time
// (Ollin Boer Bohan, "Tiny AutoEncoder for Stable Diffusion"; layout and names as in diffusers'
// AutoencoderTiny).
#pragma once

#include <array>
#include <variant>
#include <vector>

#include "decode/autoencoder_config.h"
#include "nn/layers.h"

namespace sdgen {

// The layers between a half's first and last convolution.
class TinyTrunk {
 public:
  enum class Resizing { kHalf, kDouble };

  // Layers numbered from `index` of `weights` on; `index` ends behind them.
  TinyTrunk(const Weights& weights, const std::vector<std::int64_t>& blocks, std::int64_t width,
            Activation activation, Resizing resizing, int& index);

  Tensor operator()(Tensor x) const;  // [N, width, h, w]

 private:
  // relu(x + three convolutions)
  struct Block {
    std::array<Conv2d, 3> convs;
  };
  // Half the size by its stride, or twice the size before it; without a bias.
  struct Resize {
    Tensor weight;  // [width, width, 3, 3]
  };

  Activation activation_;
  Resizing resizing_;
  std::vector<std::variant<Block, Resize>> steps_;
};

// How many rows of latents beyond its own a pixel of the decoder's picture depends on.
std::int64_t tiny_decoder_halo(const AutoencoderConfig& config);

class TinyDecoder {
 public:
  // Throws Error(kInput) naming file and key where a tensor is missing or misshapen.
  TinyDecoder(const Weights& weights, const AutoencoderConfig& config);

  // latents [N, latent_channels, h, w], divided by scaling_factor -> pixels [N, 3, f*h, f*w], about -1 to 1
  Tensor operator()(const Tensor& latents) const;

  // The same in bands of `rows` rows of latents: equal, as no layer sees further than tiny_decoder_halo().
  Tensor in_bands(const Tensor& latents, std::int64_t rows) const;

 private:
  TinyDecoder(const Weights& weights, const AutoencoderConfig& config, int index);

  AutoencoderConfig config_;
  Conv2d conv_in_;
  TinyTrunk trunk_;
  Conv2d conv_out_;
};

class TinyEncoder {
 public:
  // Throws Error(kInput) naming file and key where a tensor is missing or misshapen.
  TinyEncoder(const Weights& weights, const AutoencoderConfig& config);

  // pixels [N, 3, H, W], -1 to 1 -> latents [N, latent_channels, h, w], not yet multiplied by scaling_factor
  Tensor operator()(const Tensor& pixels) const;

 private:
  TinyEncoder(const Weights& weights, const AutoencoderConfig& config, int index);

  Conv2d conv_in_;
  TinyTrunk trunk_;
  Conv2d conv_out_;
};

}  // namespace sdgen
