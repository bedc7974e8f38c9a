#include "diffusion/networks/unet.h"

#include <algorithm>
#include <utility>

namespace sdgen {
namespace {

void add(const UnetResiduals& residuals, UnetTrunk::Features& features) {
  for (std::size_t i = 0; i < features.skips.size(); ++i)
    features.skips[i] = sum_of_rows(features.skips[i], residuals.skips.at(i));
  features.mid = sum_of_rows(features.mid, residuals.mid);
}

}  // namespace

Unet::Unet(const Weights& weights, const UnetConfig& config, Residency residency)
    : config_(config),
      trunk_(weights, config, residency),
      conv_norm_out_(weights.at("conv_norm_out"), config.block_out_channels.front(), config.groups,
                     config.norm_eps),
      conv_out_(weights.at("conv_out"), config.block_out_channels.front(), config.out_channels,
                {config.conv_out_kernel, 1, (config.conv_out_kernel - 1) / 2}) {
  for (std::size_t i = 0; i < config.block_out_channels.size(); ++i)
    up_blocks_.push_back(up_block(weights.at("up_blocks").at(i), i, residency));
  streams_ = residency.streams();
}

UnetBlock Unet::up_block(const Weights& weights, std::size_t index, Residency& residency) const {
  UnetBlock block;
  const std::vector<std::int64_t>& widths = config_.block_out_channels;
  const std::size_t level = widths.size() - 1 - index;  // the down block whose maps come back
  const std::int64_t out = widths[level];
  const std::int64_t layers = config_.layers_per_block[level] + 1;
  std::int64_t in = index == 0 ? out : widths[level + 1];
  for (std::int64_t i = 0; i < layers; ++i) {
    // The last skip of a level is the map that entered it.
    const std::int64_t skip = i + 1 < layers ? out : widths[level == 0 ? 0 : level - 1];
    block.resnets.push_back(
        unet_resnet(residency, weights.at("resnets").at(i), config_, std::exchange(in, out) + skip, out));
    if (has_attention(config_.up_block_types[index]))
      block.attentions.push_back(unet_transformer(residency, weights.at("attentions").at(i), config_, level,
                                                  config_.up_transformer_layers[index][i],
                                                  config_.only_cross_attention[level]));
  }
  if (level != 0) block.upsample.emplace(weights.at("upsamplers.0"), out);
  return block;
}

Unet::Text Unet::text(const Tensor& context, const AddedConditions& added) const {
  Text text = trunk_.text(context, added);
  for (const UnetBlock& block : up_blocks_)
    for (const Transformer2d& transformer : block.attentions)
      text.transformers.push_back(transformer.text(context));
  return text;
}

Tensor Unet::operator()(const Tensor& sample, const Tensor& timesteps, const Text& text, Trace* trace,
                        const AttentionHooks* hooks, const UnetResiduals* residuals) const {
  UnetTrunk::Features features = trunk_(sample, timesteps, text, {}, hooks);
  std::vector<Tensor>& skips = features.skips;
  if (trace) {
    const auto behind_first = static_cast<std::size_t>(config_.layers_per_block.front()) + 1;
    *trace = {features.time, skips[std::min(behind_first, skips.size() - 1)], features.mid};
  }
  if (residuals) add(*residuals, features);
  Tensor x = std::exchange(features.mid, {});
  for (const UnetBlock& block : up_blocks_) {
    for (std::size_t i = 0; i < block.resnets.size(); ++i) {
      x = block.resnets[i](at::cat({x, repeat_rows(skips.back(), x.size(0))}, 1),
                           time_of_rows(features.time, x));
      skips.pop_back();
      if (!block.attentions.empty())
        x = block.attentions[i](x, text.transformers[features.transformers++], hooks);
    }
    if (block.upsample)
      x = (*block.upsample)(x, skips.back().sizes().slice(2));  // odd sizes come back exactly
  }
  return repeat_rows(conv_out_(conv_norm_out_.activated(x, config_.activation)), text.rows);
}

}  // namespace sdgen
