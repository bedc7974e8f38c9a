// Latents <-> pixels, by whichever autoencoder a config names.
#pragma once

#include <variant>

#include "decode/autoencoder_kl.h"
#include "decode/tiny_autoencoder.h"

namespace sdgen {

struct Decoder {
  AutoencoderConfig config;
  std::variant<AutoencoderDecoder, TinyDecoder> network;

  // Throws Error(kInput) naming file and key where a tensor is missing or misshapen.
  Decoder(const Weights& weights, const AutoencoderConfig& config);

  // latents [N, latent_channels, h, w] as AutoencoderConfig::to_vae() makes them -> pixels [N, 3, f*h, f*w],
  // about -1 to 1
  Tensor operator()(const Tensor& latents) const;
};

// A Gaussian over latents, as AutoencoderConfig::from_vae() takes them.
struct LatentDistribution {
  Tensor mean;    // [N, latent_channels, h, w]
  Tensor logvar;  // the same shape, -30 to 20; undefined: there is but one, the mean
};

struct Encoder {
  std::variant<AutoencoderEncoder, TinyEncoder> network;

  // Throws Error(kInput) naming file and key where a tensor is missing or misshapen.
  Encoder(const Weights& weights, const AutoencoderConfig& config);

  // pixels [N, 3, H, W], -1 to 1
  LatentDistribution operator()(const Tensor& pixels) const;
};

}  // namespace sdgen
