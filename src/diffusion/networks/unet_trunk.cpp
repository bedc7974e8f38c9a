#include "diffusion/networks/unet_trunk.h"

#include <algorithm>
#include <utility>

namespace sdgen {
namespace {

std::int64_t time_width(const UnetConfig& config) {
  return 4 * config.block_out_channels.front();
}

}  // namespace

bool has_attention(const std::string& block_type) {
  return block_type.starts_with("CrossAttn");
}

Tensor time_of_rows(const Tensor& time, const Tensor& x) {
  return time.size(0) == 1 ? time : repeat_rows(time, x.size(0));
}

Tensor sum_of_rows(const Tensor& x, const Tensor& y) {
  const std::int64_t rows = std::max(x.size(0), y.size(0));
  return repeat_rows(x, rows) + repeat_rows(y, rows);
}

Streamed<ResnetBlock> unet_resnet(Residency& residency, const Weights& weights, const UnetConfig& config,
                                  std::int64_t in, std::int64_t out, double output_scale) {
  return {residency, weights,
          ResnetBlock::Config{in, out, time_width(config), config.groups, config.norm_eps, config.activation,
                              config.scale_shift, output_scale}};
}

Transformer2d unet_transformer(Residency& residency, const Weights& weights, const UnetConfig& config,
                               std::size_t level, std::int64_t depth, bool only_cross) {
  return {weights,
          {config.block_out_channels[level], config.cross_attention_dim[level], config.heads[level], depth,
           config.groups, config.linear_projection, only_cross},
          residency};
}

UnetTrunk::UnetTrunk(const Weights& weights, const UnetConfig& config, Residency& residency)
    : config_(config),
      conv_in_(weights.at("conv_in"), config.in_channels, config.block_out_channels.front(),
               {config.conv_in_kernel, 1, (config.conv_in_kernel - 1) / 2}),
      time_linear1_(weights.at("time_embedding.linear_1").unquantized(), config.block_out_channels.front(),
                    time_width(config)),
      time_linear2_(weights.at("time_embedding.linear_2").unquantized(), time_width(config),
                    time_width(config)) {
  if (config.time_cond_proj_dim > 0)
    time_cond_proj_.emplace(weights.at("time_embedding.cond_proj").unquantized(), config.time_cond_proj_dim,
                            config.block_out_channels.front(), Bias::kNone);
  if (config.added_width > 0) {
    added_linear1_.emplace(weights.at("add_embedding.linear_1").unquantized(), config.added_width,
                           time_width(config));
    added_linear2_.emplace(weights.at("add_embedding.linear_2").unquantized(), time_width(config),
                           time_width(config));
  }
  for (std::size_t i = 0; i < config.block_out_channels.size(); ++i)
    down_blocks_.push_back(down_block(weights.at("down_blocks").at(i), i, residency));
  if (config.mid_block != UnetConfig::MidBlock::kNone)
    mid_block_ = mid_block(weights.at("mid_block"), residency);
}

UnetBlock UnetTrunk::down_block(const Weights& weights, std::size_t index, Residency& residency) const {
  UnetBlock block;
  const std::int64_t out = config_.block_out_channels[index];
  std::int64_t in = index == 0 ? out : config_.block_out_channels[index - 1];
  for (std::int64_t i = 0; i < config_.layers_per_block[index]; ++i) {
    block.resnets.push_back(
        unet_resnet(residency, weights.at("resnets").at(i), config_, std::exchange(in, out), out));
    if (has_attention(config_.down_block_types[index]))
      block.attentions.push_back(unet_transformer(residency, weights.at("attentions").at(i), config_, index,
                                                  config_.down_transformer_layers[index][i],
                                                  config_.only_cross_attention[index]));
  }
  if (index + 1 < config_.block_out_channels.size())
    block.downsample.emplace(weights.at("downsamplers.0"), out, config_.downsample_padding);
  return block;
}

UnetBlock UnetTrunk::mid_block(const Weights& weights, Residency& residency) const {
  UnetBlock block;
  const std::size_t last = config_.block_out_channels.size() - 1;
  const std::int64_t channels = config_.block_out_channels[last];
  const bool attends = config_.mid_block == UnetConfig::MidBlock::kCrossAttention;
  for (int i = 0; i < (attends ? 2 : 1); ++i)
    block.resnets.push_back(unet_resnet(residency, weights.at("resnets").at(i), config_, channels, channels,
                                        config_.mid_block_scale_factor));
  // The reference's mid block knows no only_cross_attention, whatever the config says.
  if (attends)
    block.attentions.push_back(unet_transformer(residency, weights.at("attentions.0"), config_, last,
                                                config_.mid_transformer_layers, false));
  return block;
}

Tensor UnetTrunk::time_embedding(const Tensor& timesteps, const UnetText& text, at::ScalarType dtype) const {
  Tensor sinusoids = timestep_embedding(timesteps, config_.block_out_channels.front(),
                                        config_.flip_sin_to_cos, config_.freq_shift)
                         .to(dtype);
  if (text.condition.defined()) sinusoids = sinusoids + text.condition;
  const Tensor time = time_linear2_(activate(config_.activation, time_linear1_(sinusoids)));
  return text.added.defined() ? repeat_rows(time, text.rows) + text.added : time;
}

Tensor UnetTrunk::added_embedding(const AddedConditions& added, at::ScalarType dtype) const {
  const std::int64_t rows = added.time_ids.size(0);
  const Tensor numbers = timestep_embedding(added.time_ids.flatten(), config_.addition_time_embed_dim,
                                            config_.flip_sin_to_cos, config_.freq_shift)
                             .reshape({rows, -1});
  const Tensor all = at::cat({added.pooled.to(dtype), numbers.to(dtype)}, -1);
  require_shape(all, {rows, config_.added_width}, "UNet pooled text and sizes");
  return (*added_linear2_)(at::silu((*added_linear1_)(all)));
}

UnetText UnetTrunk::text(const Tensor& context, const AddedConditions& added) const {
  require_shape(context, {-1, -1, config_.cross_attention_dim.front()}, "UNet context");
  UnetText text{context.size(0), {}, {}, {}};
  const auto add = [&](const UnetBlock& block) {
    for (const Transformer2d& transformer : block.attentions)
      text.transformers.push_back(transformer.text(context));
  };
  for (const UnetBlock& block : down_blocks_) add(block);
  if (mid_block_) add(*mid_block_);
  if (added_linear1_) text.added = added_embedding(added, context.scalar_type());
  if (time_cond_proj_)
    text.condition = (*time_cond_proj_)(
        guidance_embedding(added.guidance_scale, config_.time_cond_proj_dim).to(context.scalar_type()));
  return text;
}

void UnetTrunk::down(const UnetText& text, const AttentionHooks* hooks, Features& features) const {
  std::vector<Tensor>& skips = features.skips;
  for (const UnetBlock& block : down_blocks_) {
    for (std::size_t i = 0; i < block.resnets.size(); ++i) {
      Tensor x = block.resnets[i](skips.back(), time_of_rows(features.time, skips.back()));
      if (!block.attentions.empty())
        x = block.attentions[i](x, text.transformers[features.transformers++], hooks);
      skips.push_back(x);
    }
    if (block.downsample) skips.push_back((*block.downsample)(skips.back()));
  }
}

UnetTrunk::Features UnetTrunk::operator()(const Tensor& sample, const Tensor& timesteps, const UnetText& text,
                                          const Tensor& hint, const AttentionHooks* hooks) const {
  const std::int64_t rows = sample.size(0);
  require_shape(sample, {rows, config_.in_channels, -1, -1}, "UNet sample");
  if (timesteps.size(0) != 1) require_shape(timesteps, {rows}, "UNet timesteps");
  Features features;
  features.time = time_embedding(timesteps, text, sample.scalar_type());
  Tensor x = conv_in_(config_.center_input_sample ? 2 * sample - 1.0 : sample);
  if (hint.defined()) x = x + hint;
  if (text.added.defined()) x = repeat_rows(x, text.rows);  // the texts' times differ from the first block on
  features.skips.push_back(x);
  down(text, hooks, features);
  x = features.skips.back();
  if (mid_block_) {
    x = mid_block_->resnets[0](x, time_of_rows(features.time, x));
    for (std::size_t i = 0; i < mid_block_->attentions.size(); ++i) {
      x = mid_block_->attentions[i](x, text.transformers[features.transformers++], hooks);
      x = mid_block_->resnets[i + 1](x, time_of_rows(features.time, x));
    }
  }
  features.mid = x;
  return features;
}

}  // namespace sdgen
