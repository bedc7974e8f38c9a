#include "decode/tiny_autoencoder.h"

#include <algorithm>

namespace sdgen {
TinyTrunk::TinyTrunk(const Weights& weights, const std::vector<std::int64_t>& blocks, std::int64_t width,
                     Activation activation, Resizing resizing, int& index)
    : activation_(activation), resizing_(resizing) {
  const auto add_resize = [&] {
    // diffusers numbers the upsampling itself, too
    if (resizing == Resizing::kDouble) ++index;
    steps_.emplace_back(Resize{weights.at(index++).tensor("weight", {width, width, 3, 3})});
  };
  for (std::size_t level = 0; level < blocks.size(); ++level) {
    if (level > 0) add_resize();
    for (std::int64_t i = 0; i < blocks[level]; ++i) {
      const Weights block = weights.at(index++).at("conv");
      const auto conv = [&](int place) { return Conv2d(block.at(place), width, width, {}); };
      steps_.emplace_back(Block{{conv(0), conv(2), conv(4)}});
    }
  }
}

Tensor TinyTrunk::operator()(Tensor x) const {
  for (const auto& step : steps_) {
    if (const auto* const resize = std::get_if<Resize>(&step)) {
      if (resizing_ == Resizing::kDouble) x = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
      x = at::conv2d(x, resize->weight, {}, resizing_ == Resizing::kHalf ? 2 : 1, 1);
      continue;
    }
    const auto& convs = std::get<Block>(step).convs;
    const Tensor y = activate(activation_, convs[1](activate(activation_, convs[0](x))));
    x = at::relu(x + convs[2](y));
  }
  return x;
}

// Members are built in order: `index` stands behind the trunk when the last convolution asks for it.
TinyDecoder::TinyDecoder(const Weights& weights, const AutoencoderConfig& config)
    : TinyDecoder(weights.at("decoder.layers"), config, 2) {}

TinyDecoder::TinyDecoder(const Weights& weights, const AutoencoderConfig& config, int index)
    : config_(config),
      conv_in_(weights.at(0), config.latent_channels, config.tiny->decoder_width, {}),
      trunk_(weights, config.tiny->decoder_blocks, config.tiny->decoder_width, config.activation,
             TinyTrunk::Resizing::kDouble, index),
      conv_out_(weights.at(index), config.tiny->decoder_width, config.out_channels, {}) {}

Tensor TinyDecoder::operator()(const Tensor& latents) const {
  require_shape(latents, {-1, config_.latent_channels, -1, -1}, "VAE latents");
  const Tensor x = activate(config_.activation, conv_in_(at::tanh(latents / 3) * 3));
  return conv_out_(trunk_(x)) * 2 - 1;  // the network's pixels are 0 to 1
}

std::int64_t tiny_decoder_halo(const AutoencoderConfig& config) {
  const std::vector<std::int64_t>& blocks = config.tiny->decoder_blocks;
  const auto levels = static_cast<std::int64_t>(blocks.size());
  std::int64_t pixels = 1;  // the last convolution's, in pixels of the picture
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::int64_t convolutions = 3 * blocks[static_cast<std::size_t>(level)] + 1;
    pixels += convolutions << (levels - 1 - level);
  }
  const std::int64_t scale = config.pixels_per_latent();
  return (pixels + scale - 1) / scale;
}

Tensor TinyDecoder::in_bands(const Tensor& latents, std::int64_t rows) const {
  const std::int64_t height = latents.size(kRowsDim), scale = config_.pixels_per_latent(),
                     beside = tiny_decoder_halo(config_);
  std::vector<Tensor> bands;
  for (std::int64_t begin = 0; begin < height; begin += rows) {
    const std::int64_t end = std::min(begin + rows, height);
    const std::int64_t from = std::max<std::int64_t>(begin - beside, 0), to = std::min(end + beside, height);
    const Tensor pixels = (*this)(latents.narrow(kRowsDim, from, to - from));
    bands.push_back(pixels.narrow(kRowsDim, (begin - from) * scale, (end - begin) * scale).clone());
  }
  return at::cat(bands, kRowsDim);
}

TinyEncoder::TinyEncoder(const Weights& weights, const AutoencoderConfig& config)
    : TinyEncoder(weights.at("encoder.layers"), config, 1) {}

TinyEncoder::TinyEncoder(const Weights& weights, const AutoencoderConfig& config, int index)
    : conv_in_(weights.at(0), config.in_channels, config.tiny->encoder_width, {}),
      trunk_(weights, config.tiny->encoder_blocks, config.tiny->encoder_width, config.activation,
             TinyTrunk::Resizing::kHalf, index),
      conv_out_(weights.at(index), config.tiny->encoder_width, config.latent_channels, {}) {}

Tensor TinyEncoder::operator()(const Tensor& pixels) const {
  return conv_out_(trunk_(conv_in_((pixels + 1) / 2)));
}

}  // namespace sdgen
