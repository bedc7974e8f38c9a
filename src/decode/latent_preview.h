// What latents will look like, for little: small pictures are decoded, others pass through one matrix.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "decode/autoencoder.h"

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
LatentProjection fit_latent_projection(const Decoder& decoder, const at::TensorOptions& options);

// The latents [N, C, h, w] that a LatentPreview of pictures of `height` by `width` latents decodes at once:
// one of them, or what a projection is fitted to.
std::vector<std::int64_t> previewed_latents(const AutoencoderConfig& config, std::int64_t height,
                                            std::int64_t width);

class LatentPreview {
 public:
  // `decoder` must outlive it.
  LatentPreview(const Decoder& decoder, const at::TensorOptions& options)
      : decoder_(decoder), options_(options) {}

  // latents [N, latent_channels, h, w] as the sampler leaves them -> pixels [N, 3, H, W] on the CPU, the
  // picture's size or at most about 256 a side.
  Tensor operator()(const Tensor& latents);

 private:
  const Decoder& decoder_;
  at::TensorOptions options_;
  std::optional<LatentProjection> projection_;  // fitted when first needed
};

}  // namespace sdgen
