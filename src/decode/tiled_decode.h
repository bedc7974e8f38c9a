// Decoding in overlapping square tiles, as diffusers' AutoencoderKL.enable_tiling(): memory for one tile and
// the picture.
#pragma once

#include "decode/autoencoder_kl.h"

namespace sdgen {

// How the latents are cut: diffusers' tile_latent_min_size and what follows from a tile_overlap_factor of
// 1/4.
struct DecodeTiling {
  std::int64_t tile = 0;    // latents a side
  std::int64_t stride = 0;  // latents from one tile to the next

  explicit DecodeTiling(const AutoencoderConfig& config);
};

// latents [N, latent_channels, h, w] -> pixels [N, 3, f*h, f*w]. Latents no larger than a tile are decoded
// whole. Each tile has its own norm statistics and attention: tones may differ from those of the whole
// decode.
Tensor decode_in_tiles(const AutoencoderDecoder& decoder, const Tensor& latents);

}  // namespace sdgen
