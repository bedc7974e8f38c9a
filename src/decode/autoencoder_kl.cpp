#include "decode/autoencoder_kl.h"

#include <algorithm>

namespace sdgen {
namespace {

constexpr double kEps = 1e-6;

ResnetBlock resnet(const Weights& weights, std::int64_t in, std::int64_t out,
                   const AutoencoderConfig& config) {
  return {weights, {in, out, 0, config.groups, kEps, config.activation}};
}

}  // namespace

AutoencoderMidBlock::Attention::Attention(const Weights& weights, const AutoencoderConfig& config)
    : group_norm(weights.at("group_norm"), config.block_out_channels.back(), config.groups, kEps),
      attention(weights, config.block_out_channels.back(), /*heads=*/1, Bias::kYes) {}

Tensor AutoencoderMidBlock::Attention::operator()(const Tensor& x) const {
  return to_map(attention(to_patches(group_norm(x)), to_patches(x)), x.sizes().slice(2));
}

AutoencoderMidBlock::AutoencoderMidBlock(const Weights& weights, const AutoencoderConfig& config)
    : resnet1(resnet(weights.at("resnets.0"), config.block_out_channels.back(),
                     config.block_out_channels.back(), config)),
      resnet2(resnet(weights.at("resnets.1"), config.block_out_channels.back(),
                     config.block_out_channels.back(), config)) {
  if (config.mid_block_add_attention) attention.emplace(weights.at("attentions.0"), config);
}

Tensor AutoencoderMidBlock::operator()(const Tensor& x) const {
  const Tensor hidden = resnet1(x);
  return resnet2(attention ? (*attention)(hidden) : hidden);
}

AutoencoderDecoder::AutoencoderDecoder(const Weights& weights, const AutoencoderConfig& config)
    : config(config),
      conv_in(weights.at("decoder.conv_in"), config.latent_channels, config.block_out_channels.back(), {}),
      mid_block(weights.at("decoder.mid_block"), config),
      conv_norm_out(weights.at("decoder.conv_norm_out"), config.block_out_channels.front(), config.groups,
                    kEps),
      conv_out(weights.at("decoder.conv_out"), config.block_out_channels.front(), config.out_channels, {}) {
  if (config.use_post_quant_conv)
    post_quant_conv.emplace(weights.at("post_quant_conv"), config.latent_channels, config.latent_channels,
                            Conv2d::Geometry{1, 1, 0});
  std::int64_t in = config.block_out_channels.back();
  for (std::size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const Weights block_weights = weights.at("decoder.up_blocks").at(i);
    const std::int64_t out = config.block_out_channels[config.block_out_channels.size() - 1 - i];
    Block& block = up_blocks.emplace_back();
    for (std::int64_t layer = 0; layer <= config.layers_per_block; ++layer)
      block.resnets.push_back(
          resnet(block_weights.at("resnets").at(layer), std::exchange(in, out), out, config));
    if (i + 1 < config.block_out_channels.size())
      block.upsample.emplace(block_weights.at("upsamplers.0"), out);
  }
}

Tensor AutoencoderDecoder::middle(const Tensor& latents) const {
  require_shape(latents, {-1, config.latent_channels, -1, -1}, "VAE latents");
  return mid_block(conv_in(post_quant_conv ? (*post_quant_conv)(latents) : latents));
}

Tensor AutoencoderDecoder::operator()(const Tensor& latents) const {
  Tensor x = middle(latents);
  for (const Block& block : up_blocks) {
    for (const ResnetBlock& resnet_block : block.resnets) x = resnet_block(x);
    if (block.upsample) x = (*block.upsample)(x, {2 * x.size(2), 2 * x.size(3)});
  }
  return conv_out(conv_norm_out.activated(x, config.activation));
}

AutoencoderEncoder::AutoencoderEncoder(const Weights& weights, const AutoencoderConfig& config)
    : config_(config),
      conv_in_(weights.at("encoder.conv_in"), config.in_channels, config.block_out_channels.front(), {}),
      mid_block_(weights.at("encoder.mid_block"), config),
      conv_norm_out_(weights.at("encoder.conv_norm_out"), config.block_out_channels.back(), config.groups,
                     kEps),
      conv_out_(weights.at("encoder.conv_out"), config.block_out_channels.back(), 2 * config.latent_channels,
                {}) {
  if (config.use_quant_conv)
    quant_conv_.emplace(weights.at("quant_conv"), 2 * config.latent_channels, 2 * config.latent_channels,
                        Conv2d::Geometry{1, 1, 0});
  std::int64_t in = config.block_out_channels.front();
  for (std::size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const Weights block_weights = weights.at("encoder.down_blocks").at(i);
    const std::int64_t out = config.block_out_channels[i];
    Block& block = down_blocks_.emplace_back();
    for (std::int64_t layer = 0; layer < config.layers_per_block; ++layer)
      block.resnets.push_back(
          resnet(block_weights.at("resnets").at(layer), std::exchange(in, out), out, config));
    if (i + 1 < config.block_out_channels.size())
      block.downsample.emplace(block_weights.at("downsamplers.0"), out, 0);
  }
}

AutoencoderEncoder::Moments AutoencoderEncoder::operator()(const Tensor& pixels) const {
  require_shape(pixels, {-1, config_.in_channels, -1, -1}, "VAE pixels");
  Tensor x = conv_in_(pixels);
  for (const Block& block : down_blocks_) {
    for (const ResnetBlock& resnet_block : block.resnets) x = resnet_block(x);
    if (block.downsample) x = (*block.downsample)(x);
  }
  x = conv_out_(conv_norm_out_.activated(mid_block_(x), config_.activation));
  const std::vector<Tensor> moments = (quant_conv_ ? (*quant_conv_)(x) : x).chunk(2, 1);
  return {moments[0], moments[1].clamp(-30.0, 20.0)};
}

}  // namespace sdgen
