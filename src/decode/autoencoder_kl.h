// AutoencoderKL: latents <-> pixels ("High-Resolution Image Synthesis with Latent Diffusion Models",
// section 3.1; layout and names as in diffusers).
#pragma once

#include <optional>
#include <vector>

#include "decode/autoencoder_config.h"
#include "nn/attention.h"
#include "nn/resnet.h"

namespace sdgen {

// Resnet, single-head self-attention over the map, resnet: the middle of both decoder and encoder.
struct AutoencoderMidBlock {
  struct Attention {
    GroupNorm group_norm;
    SelfAttention attention;

    Attention(const Weights& weights, const AutoencoderConfig& config);
    Tensor operator()(const Tensor& x) const;  // [N, C, h, w]
  };
  ResnetBlock resnet1;
  std::optional<Attention> attention;
  ResnetBlock resnet2;

  AutoencoderMidBlock(const Weights& weights, const AutoencoderConfig& config);
  Tensor operator()(const Tensor& x) const;  // [N, C, h, w]
};

struct AutoencoderDecoder {
  struct Block {
    std::vector<ResnetBlock> resnets;
    std::optional<Upsample> upsample;
  };
  AutoencoderConfig config;
  std::optional<Conv2d> post_quant_conv;
  Conv2d conv_in;
  AutoencoderMidBlock mid_block;
  std::vector<Block> up_blocks;
  GroupNorm conv_norm_out;
  Conv2d conv_out;

  AutoencoderDecoder(const Weights& weights, const AutoencoderConfig& config);

  // latents [N, latent_channels, h, w], already divided by scaling_factor -> pixels [N, 3, f*h, f*w], about
  // -1 to 1
  Tensor operator()(const Tensor& latents) const;

  // latents -> the map below up_blocks [N, C, h, w]
  Tensor middle(const Tensor& latents) const;
};

class AutoencoderEncoder {
 public:
  AutoencoderEncoder(const Weights& weights, const AutoencoderConfig& config);

  struct Moments {
    Tensor mean;    // [N, latent_channels, h, w]
    Tensor logvar;  // the same shape, clamped to -30..20
  };
  // Of a Gaussian over latents, not yet multiplied by scaling_factor. pixels [N, 3, H, W], -1 to 1
  Moments operator()(const Tensor& pixels) const;

 private:
  struct Block {
    std::vector<ResnetBlock> resnets;
    std::optional<Downsample> downsample;
  };
  AutoencoderConfig config_;
  Conv2d conv_in_;
  std::vector<Block> down_blocks_;
  AutoencoderMidBlock mid_block_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
  std::optional<Conv2d> quant_conv_;
};

}  // namespace sdgen
