// The whole decode with bounded memory: the upper levels in bands of rows.
#pragma once

#include <cstdint>

#include "decode/autoencoder_kl.h"

namespace sdgen {

// What the largest map of a band may take, bytes: several such are alive at once.
constexpr std::int64_t kBandBytes = std::int64_t{64} << 20;

// latents [N, latent_channels, h, w] -> pixels [N, 3, f*h, f*w], equal to decoder(latents) up to rounding:
// convolutions see the rows beside a band, norms have the statistics of the whole map, and attention is
// whole. A level's maps are computed anew for every norm's statistics instead of being stored; only its
// residual blocks' sums are. Needs the largest of these and a few bands; takes about 1.6 times the
// arithmetic.
Tensor decode_in_bands(const AutoencoderDecoder& decoder, const Tensor& latents,
                       std::int64_t band_bytes = kBandBytes);

// Whether decode_in_bands() computes level `level` (of up_blocks) whole: its maps are small beside the
// last's.
bool is_level_whole(const AutoencoderConfig& config, std::size_t level);

}  // namespace sdgen
