// Latents -> a rough small picture by one matrix: previews without decoding.
#pragma once

#include "decode/autoencoder_kl.h"

namespace sdgen {

struct LatentProjection {
  Tensor weight;  // [3, latent_channels] float32, on the CPU
  Tensor bias;    // [3]

  // latents [N, latent_channels, h, w] -> pixels [N, 3, h, w], about -1 to 1
  Tensor operator()(const Tensor& latents) const;
};

// The matrix nearest to what `decoder` makes of smooth random latents, by least squares over the mean colour
// of each latent's pixels. Latents are as the sampler leaves them, scaled to unit variance. `options`: device
// and dtype of the decoder.
LatentProjection fit_latent_projection(const AutoencoderDecoder& decoder, const at::TensorOptions& options);

}  // namespace sdgen
