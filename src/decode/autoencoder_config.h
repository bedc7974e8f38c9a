// What an autoencoder's config.json says: AutoencoderKL's, or AutoencoderTiny's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/json_file.h"
#include "base/tensor.h"
#include "nn/layers.h"

namespace sdgen {

// Dimensions of pictures and latents, [N, C, H, W].
inline constexpr std::int64_t kRowsDim = 2, kColumnsDim = 3;

// The layers of an AutoencoderTiny, half by half, from the picture or the latents on.
struct TinyLayers {
  std::vector<std::int64_t> encoder_blocks, decoder_blocks;  // of each level
  std::int64_t encoder_width = 64, decoder_width = 64;       // channels
};

struct AutoencoderConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::int64_t latent_channels = 4;
  std::vector<std::int64_t> block_out_channels;
  std::int64_t layers_per_block = 1;
  std::int64_t groups = 32;
  Activation activation = Activation::kSilu;
  double scaling_factor = 0.18215;
  double shift_factor = 0.0;  // what the sampler's latents lie around, before scaling
  bool use_quant_conv = true;
  bool use_post_quant_conv = true;
  bool mid_block_add_attention = true;
  std::int64_t sample_size = 32;                  // pixels a side it was trained on; a tile of tiled decoding
  std::vector<double> latents_mean, latents_std;  // a channel's; empty: 0 and 1
  std::optional<TinyLayers> tiny;                 // an AutoencoderTiny: it has no groups and no attention

  // Pixels a latent spans, per side: 8 for Stable Diffusion.
  std::int64_t pixels_per_latent() const { return std::int64_t{1} << (block_out_channels.size() - 1); }

  // Latents [N, latent_channels, h, w] as the sampler has them <-> as the decoder takes and the encoder gives
  // them.
  Tensor to_vae(const Tensor& latents) const;
  Tensor from_vae(const Tensor& z) const;

  // Reads vae/config.json. Throws Error(kInput) naming file and key.
  static AutoencoderConfig read(const Config& config);
};

}  // namespace sdgen
