#include "diffusion/unet.h"

namespace sdgen {
namespace {

std::int64_t time_width(const UnetConfig& config) {
  return 4 * config.block_out_channels.front();
}

bool has_attention(const std::string& block_type) {
  return block_type.starts_with("CrossAttn");
}

}  // namespace

Unet::Unet(const Weights& weights, const UnetConfig& config)
    : config_(config),
      conv_in_(weights.at("conv_in"), config.in_channels, config.block_out_channels.front(),
               {config.conv_in_kernel, 1, (config.conv_in_kernel - 1) / 2}),
      time_linear1_(weights.at("time_embedding.linear_1").unquantized(), config.block_out_channels.front(),
                    time_width(config)),
      time_linear2_(weights.at("time_embedding.linear_2").unquantized(), time_width(config),
                    time_width(config)),
      conv_norm_out_(weights.at("conv_norm_out"), config.block_out_channels.front(), config.groups,
                     config.norm_eps),
      conv_out_(weights.at("conv_out"), config.block_out_channels.front(), config.out_channels,
                {config.conv_out_kernel, 1, (config.conv_out_kernel - 1) / 2}) {
  if (config.time_cond_proj_dim > 0)
    time_cond_proj_.emplace(weights.at("time_embedding.cond_proj").unquantized(), config.time_cond_proj_dim,
                            config.block_out_channels.front(), Bias::kNone);
  if (config.added_width > 0) {
    added_linear1_.emplace(weights.at("add_embedding.linear_1").unquantized(), config.added_width,
                           time_width(config));
    added_linear2_.emplace(weights.at("add_embedding.linear_2").unquantized(), time_width(config),
                           time_width(config));
  }
  const std::size_t blocks = config.block_out_channels.size();
  for (std::size_t i = 0; i < blocks; ++i)
    down_blocks_.push_back(down_block(weights.at("down_blocks").at(i), i));
  if (config.mid_block != UnetConfig::MidBlock::kNone) mid_block_ = mid_block(weights.at("mid_block"));
  for (std::size_t i = 0; i < blocks; ++i) up_blocks_.push_back(up_block(weights.at("up_blocks").at(i), i));
}

ResnetBlock Unet::resnet(const Weights& weights, std::int64_t in, std::int64_t out,
                         double output_scale) const {
  return {weights,
          {in, out, time_width(config_), config_.groups, config_.norm_eps, config_.activation,
           config_.scale_shift, output_scale}};
}

Transformer2d Unet::transformer(const Weights& weights, std::size_t level, std::int64_t depth,
                                bool only_cross) const {
  return {weights,
          {config_.block_out_channels[level], config_.cross_attention_dim[level], config_.heads[level], depth,
           config_.groups, config_.linear_projection, only_cross}};
}

Unet::Block Unet::down_block(const Weights& weights, std::size_t index) const {
  Block block;
  const std::int64_t out = config_.block_out_channels[index];
  std::int64_t in = index == 0 ? out : config_.block_out_channels[index - 1];
  for (std::int64_t i = 0; i < config_.layers_per_block[index]; ++i) {
    block.resnets.push_back(resnet(weights.at("resnets").at(i), std::exchange(in, out), out));
    if (has_attention(config_.down_block_types[index]))
      block.attentions.push_back(transformer(weights.at("attentions").at(i), index,
                                             config_.down_transformer_layers[index][i],
                                             config_.only_cross_attention[index]));
  }
  if (index + 1 < config_.block_out_channels.size())
    block.downsample.emplace(weights.at("downsamplers.0"), out, config_.downsample_padding);
  return block;
}

Unet::Block Unet::mid_block(const Weights& weights) const {
  Block block;
  const std::size_t last = config_.block_out_channels.size() - 1;
  const std::int64_t channels = config_.block_out_channels[last];
  const bool attends = config_.mid_block == UnetConfig::MidBlock::kCrossAttention;
  for (int i = 0; i < (attends ? 2 : 1); ++i)
    block.resnets.push_back(
        resnet(weights.at("resnets").at(i), channels, channels, config_.mid_block_scale_factor));
  // The reference's mid block knows no only_cross_attention, whatever the config says.
  if (attends)
    block.attentions.push_back(
        transformer(weights.at("attentions.0"), last, config_.mid_transformer_layers, false));
  return block;
}

Unet::Block Unet::up_block(const Weights& weights, std::size_t index) const {
  Block block;
  const std::vector<std::int64_t>& widths = config_.block_out_channels;
  const std::size_t level = widths.size() - 1 - index;  // the down block whose maps come back
  const std::int64_t out = widths[level];
  const std::int64_t layers = config_.layers_per_block[level] + 1;
  std::int64_t in = index == 0 ? out : widths[level + 1];
  for (std::int64_t i = 0; i < layers; ++i) {
    // The last skip of a level is the map that entered it.
    const std::int64_t skip = i + 1 < layers ? out : widths[level == 0 ? 0 : level - 1];
    block.resnets.push_back(resnet(weights.at("resnets").at(i), std::exchange(in, out) + skip, out));
    if (has_attention(config_.up_block_types[index]))
      block.attentions.push_back(transformer(weights.at("attentions").at(i), level,
                                             config_.up_transformer_layers[index][i],
                                             config_.only_cross_attention[level]));
  }
  if (level != 0) block.upsample.emplace(weights.at("upsamplers.0"), out);
  return block;
}

Tensor Unet::time_embedding(const Tensor& timesteps, const Text& text, at::ScalarType dtype) const {
  Tensor sinusoids = timestep_embedding(timesteps, config_.block_out_channels.front(),
                                        config_.flip_sin_to_cos, config_.freq_shift)
                         .to(dtype);
  if (text.condition.defined()) sinusoids = sinusoids + text.condition;
  const Tensor time = time_linear2_(activate(config_.activation, time_linear1_(sinusoids)));
  return text.added.defined() ? repeat_rows(time, text.rows) + text.added : time;
}

Tensor Unet::added_embedding(const AddedConditions& added, at::ScalarType dtype) const {
  const std::int64_t rows = added.numbers.size(0);
  const Tensor numbers = timestep_embedding(added.numbers.flatten(), config_.addition_time_embed_dim,
                                            config_.flip_sin_to_cos, config_.freq_shift)
                             .reshape({rows, -1});
  const Tensor all = at::cat({added.pooled.to(dtype), numbers.to(dtype)}, -1);
  require_shape(all, {rows, config_.added_width}, "UNet pooled text and sizes");
  return (*added_linear2_)(at::silu((*added_linear1_)(all)));
}

Unet::Text Unet::text(const Tensor& context, const AddedConditions& added) const {
  require_shape(context, {-1, -1, config_.cross_attention_dim.front()}, "UNet context");
  Text text{context.size(0), {}, {}, {}};
  const auto add = [&](const Block& block) {
    for (const Transformer2d& transformer : block.attentions)
      text.transformers.push_back(transformer.text(context));
  };
  for (const Block& block : down_blocks_) add(block);
  if (mid_block_) add(*mid_block_);
  for (const Block& block : up_blocks_) add(block);
  if (added_linear1_) text.added = added_embedding(added, context.scalar_type());
  if (time_cond_proj_)
    text.condition = (*time_cond_proj_)(
        guidance_embedding(added.guidance_scale, config_.time_cond_proj_dim).to(context.scalar_type()));
  return text;
}

Tensor Unet::operator()(const Tensor& sample, const Tensor& timesteps, const Text& text, Trace* trace,
                        const AttentionHooks* hooks) const {
  const std::int64_t rows = sample.size(0);
  require_shape(sample, {rows, config_.in_channels, -1, -1}, "UNet sample");
  if (timesteps.size(0) != 1) require_shape(timesteps, {rows}, "UNet timesteps");
  const Tensor time = time_embedding(timesteps, text, sample.scalar_type());
  if (trace) trace->time_embedding = time;
  auto seen = text.transformers.begin();

  // The time of as many rows as x has by now.
  const auto time_of = [&](const Tensor& x) {
    return time.size(0) == 1 ? time : repeat_rows(time, x.size(0));
  };
  Tensor x = conv_in_(config_.center_input_sample ? 2 * sample - 1.0 : sample);
  if (text.added.defined()) x = repeat_rows(x, text.rows);  // the texts' times differ from the first block on
  std::vector<Tensor> skips = {x};
  for (const Block& block : down_blocks_) {
    for (std::size_t i = 0; i < block.resnets.size(); ++i) {
      x = block.resnets[i](x, time_of(x));
      if (!block.attentions.empty()) x = block.attentions[i](x, *seen++, hooks);
      skips.push_back(x);
    }
    if (block.downsample) skips.push_back(x = (*block.downsample)(x));
    if (trace && &block == &down_blocks_.front()) trace->first_down = x;
  }
  if (mid_block_) {
    x = mid_block_->resnets[0](x, time_of(x));
    for (std::size_t i = 0; i < mid_block_->attentions.size(); ++i) {
      x = mid_block_->attentions[i](x, *seen++, hooks);
      x = mid_block_->resnets[i + 1](x, time_of(x));
    }
  }
  if (trace) trace->mid = x;
  for (const Block& block : up_blocks_) {
    for (std::size_t i = 0; i < block.resnets.size(); ++i) {
      x = block.resnets[i](at::cat({x, repeat_rows(skips.back(), x.size(0))}, 1), time_of(x));
      skips.pop_back();
      if (!block.attentions.empty()) x = block.attentions[i](x, *seen++, hooks);
    }
    if (block.upsample)
      x = (*block.upsample)(x, skips.back().sizes().slice(2));  // odd sizes come back exactly
  }
  return repeat_rows(conv_out_(conv_norm_out_.activated(x, config_.activation)), text.rows);
}

}  // namespace sdgen
