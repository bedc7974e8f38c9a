#include "diffusion/networks/controlnet.h"

#include "base/config_range.h"

namespace sdgen {
namespace {

constexpr std::int64_t kColours = 3;
constexpr std::size_t kMaxHintChannels = 8;

void refuse_unsupported_controlnet(const Config& config) {
  const std::string file = config.path.string();
  if (const auto name = config.value<std::string>("_class_name", "ControlNetModel");
      name != "ControlNetModel")
    fail_input(file, ": key '_class_name': ", unknown_name("class", name, {"ControlNetModel"}));
  if (config.value("global_pool_conditions", false))
    fail_input(file, ": key 'global_pool_conditions' is true, which is not supported");
  if (const auto channels = config.value<std::int64_t>("conditioning_channels", kColours);
      channels != kColours)
    fail_input(file, ": conditioning_channels ", channels, " is not supported (", kColours, ", RGB, is)");
}

// The sizes of the feature maps that a UNet keeps, or its ControlNet adds to.
std::vector<std::int64_t> skip_channels(const UnetConfig& config) {
  std::vector<std::int64_t> channels = {config.block_out_channels.front()};
  for (std::size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const bool halves = i + 1 < config.block_out_channels.size();
    const auto count = static_cast<std::size_t>(config.layers_per_block[i] + (halves ? 1 : 0));
    channels.insert(channels.end(), count, config.block_out_channels[i]);
  }
  return channels;
}

}  // namespace

ControlNetConfig ControlNetConfig::read(const Config& config) {
  refuse_unsupported_controlnet(config);
  ControlNetConfig controlnet{UnetConfig::read_trunk(config), {}};
  if (controlnet.trunk.mid_block == UnetConfig::MidBlock::kNone)
    fail_input(config.path.string(), ": key 'mid_block_type' is null; a ControlNet has a mid block");
  const std::string key = "conditioning_embedding_out_channels";
  controlnet.hint_channels = {16, 32, 96, 256};
  if (config.has(key)) controlnet.hint_channels = whole_numbers(config, key, kWidths);
  if (controlnet.hint_channels.empty() || controlnet.hint_channels.size() > kMaxHintChannels)
    fail_input(config.path.string(), ": key '", key, "' must have 1 to ", kMaxHintChannels, " values");
  const auto order = config.value<std::string>("controlnet_conditioning_channel_order", "rgb");
  if (order != "rgb" && order != "bgr")
    fail_input(config.path.string(), ": controlnet_conditioning_channel_order '", order,
               "' is not supported (rgb and bgr are)");
  controlnet.bgr = order == "bgr";
  return controlnet;
}

ControlNet::ControlNet(const Weights& weights, const ControlNetConfig& config, Residency residency)
    : bgr_(config.bgr),
      trunk_(weights, config.trunk, residency),
      mid_conv_(weights.at("controlnet_mid_block"), config.trunk.block_out_channels.back(),
                config.trunk.block_out_channels.back(), {1, 1, 0}) {
  const Weights hint = weights.at("controlnet_cond_embedding");
  const std::vector<std::int64_t>& widths = config.hint_channels;
  hint_convs_.emplace_back(hint.at("conv_in"), kColours, widths.front(), Conv2d::Geometry{});
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    const Weights blocks = hint.at("blocks");
    const int first = static_cast<int>(2 * i);
    hint_convs_.emplace_back(blocks.at(first), widths[i], widths[i], Conv2d::Geometry{});
    hint_convs_.emplace_back(blocks.at(first + 1), widths[i], widths[i + 1], Conv2d::Geometry{3, 2, 1});
  }
  hint_convs_.emplace_back(hint.at("conv_out"), widths.back(), config.trunk.block_out_channels.front(),
                           Conv2d::Geometry{});
  for (const std::int64_t channels : skip_channels(config.trunk)) {
    const Weights conv =
        weights.at("controlnet_down_blocks").at(static_cast<std::int64_t>(skip_convs_.size()));
    skip_convs_.emplace_back(conv, channels, channels, Conv2d::Geometry{1, 1, 0});
  }
}

UnetText ControlNet::text(const Tensor& context, const AddedConditions& added) const {
  return trunk_.text(context, added);
}

Tensor ControlNet::hint(const Tensor& picture) const {
  require_shape(picture, {-1, kColours, -1, -1}, "ControlNet picture");
  Tensor x = bgr_ ? picture.flip({1}) : picture;
  for (const Conv2d& conv : hint_convs_) {
    const bool is_last = &conv == &hint_convs_.back();
    x = is_last ? conv(x) : at::silu(conv(x));
  }
  return x;
}

UnetResiduals ControlNet::operator()(const Tensor& sample, const Tensor& timesteps, const UnetText& text,
                                     const Tensor& hint, const AttentionHooks* hooks) const {
  const UnetTrunk::Features features = trunk_(sample, timesteps, text, hint, hooks);
  UnetResiduals residuals{{}, mid_conv_(features.mid)};
  for (std::size_t i = 0; i < skip_convs_.size(); ++i)
    residuals.skips.push_back(skip_convs_[i](features.skips[i]));
  return residuals;
}

std::vector<bool> evaluations_within(double start, double end, std::size_t count) {
  std::vector<bool> within;
  const auto whole = static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i)
    within.push_back(static_cast<double>(i) / whole >= start && static_cast<double>(i + 1) / whole <= end);
  return within;
}

}  // namespace sdgen
