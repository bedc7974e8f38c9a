#include "nn/resnet.h"

#include <cmath>

namespace sdgen {

ResnetBlock::ResnetBlock(const Weights& weights, const Config& config)
    : norm1(weights.at("norm1"), config.in, config.groups, config.eps),
      conv1(weights.at("conv1"), config.in, config.out, {}),
      norm2(weights.at("norm2"), config.out, config.groups, config.eps),
      conv2(weights.at("conv2"), config.out, config.out, {}),
      activation(config.activation),
      scale_shift(config.scale_shift),
      output_scale(config.output_scale) {
  if (config.time_width > 0)
    time_emb_proj.emplace(weights.at("time_emb_proj").unquantized(), config.time_width,
                          (scale_shift ? 2 : 1) * config.out);
  if (config.in != config.out)
    conv_shortcut.emplace(weights.at("conv_shortcut"), config.in, config.out, Conv2d::Geometry{1, 1, 0});
}

Tensor ResnetBlock::operator()(const Tensor& x, const Tensor& time_embedding) const {
  const Tensor normed = norm1.activated(x, activation);
  const Tensor unbiased = scale_shift ? Tensor() : conv1.without_bias(normed);  // the norm adds the bias
  Tensor hidden = unbiased.defined() ? unbiased : conv1(normed);
  const Tensor time =
      time_emb_proj ? (*time_emb_proj)(activate(activation, time_embedding)) : Tensor();  // [1 or N, out]
  if (time_emb_proj && scale_shift) {
    const std::vector<Tensor> parts = time.unsqueeze(-1).unsqueeze(-1).chunk(2, 1);  // scale, shift
    hidden = activate(activation, norm2(hidden) * (1 + parts[0]) + parts[1]);
  } else {
    Tensor offset = time;
    if (unbiased.defined()) offset = time.defined() ? time + conv1.bias() : conv1.bias().unsqueeze(0);
    hidden = norm2.activated(hidden, activation, offset);
  }
  const Tensor sum = conv2(hidden, conv_shortcut ? (*conv_shortcut)(x) : x);
  return output_scale == 1.0 ? sum : sum / output_scale;
}

Downsample::Downsample(const Weights& weights, std::int64_t channels, std::int64_t padding)
    : conv(weights.at("conv"), channels, channels, {3, 2, padding}) {}

Tensor Downsample::operator()(const Tensor& x) const {
  return conv(conv.geometry().padding == 0 ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x);
}

Upsample::Upsample(const Weights& weights, std::int64_t channels)
    : conv(weights.at("conv"), channels, channels, {}) {}

Tensor Upsample::operator()(const Tensor& x, at::IntArrayRef size) const {
  return conv(at::upsample_nearest2d(x, size));
}

Tensor timestep_embedding(const Tensor& timesteps, std::int64_t width, bool flip_sin_to_cos,
                          double freq_shift) {
  const std::int64_t half = width / 2;
  const auto options = timesteps.options().dtype(at::kFloat);
  const Tensor exponent =
      -std::log(10000.0) * at::arange(0, half, options) / (static_cast<double>(half) - freq_shift);
  const Tensor angles = timesteps.to(at::kFloat).unsqueeze(1) * at::exp(exponent).unsqueeze(0);  // [N, half]
  const Tensor sines = at::sin(angles);
  const Tensor cosines = at::cos(angles);
  const Tensor embedding = flip_sin_to_cos ? at::cat({cosines, sines}, -1) : at::cat({sines, cosines}, -1);
  return width % 2 == 0 ? embedding : at::constant_pad_nd(embedding, {0, 1});
}

Tensor guidance_embedding(const Tensor& guidance_scale, std::int64_t width) {
  // Sines of numbers in the thousands: the frequencies are rounded as the reference rounds them.
  const std::int64_t half = width / 2;
  const auto options = guidance_scale.options().dtype(at::kFloat);
  const float rate = std::log(10000.0F) / static_cast<float>(half - 1);
  const Tensor frequencies = at::exp(at::arange(0, half, options) * -rate);
  const Tensor angles =
      ((guidance_scale - 1.0) * 1000.0).unsqueeze(1) * frequencies.unsqueeze(0);  // [1, half]
  const Tensor embedding = at::cat({at::sin(angles), at::cos(angles)}, -1);
  return width % 2 == 0 ? embedding : at::constant_pad_nd(embedding, {0, 1});
}

}  // namespace sdgen
