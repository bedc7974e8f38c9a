#include "nn/layers.h"

#include <map>

namespace sdgen {

Linear::Linear(const Weights& weights, std::int64_t in, std::int64_t out, Bias with_bias)
    : weight(weights.tensor("weight", {out, in})) {
  if (with_bias == Bias::kYes) bias = weights.tensor("bias", {out});
}

Tensor Linear::operator()(const Tensor& x) const {
  return at::linear(x, weight, bias);
}

Conv2d::Conv2d(const Weights& weights, std::int64_t in, std::int64_t out, const Geometry& geometry)
    : weight(weights.tensor("weight", {out, in, geometry.kernel, geometry.kernel})),
      bias(weights.tensor("bias", {out})),
      stride(geometry.stride),
      padding(geometry.padding) {}

Tensor Conv2d::operator()(const Tensor& x) const {
  return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
}

GroupNorm::GroupNorm(const Weights& weights, std::int64_t channels, std::int64_t groups, double eps)
    : weight(weights.tensor("weight", {channels})),
      bias(weights.tensor("bias", {channels})),
      groups(groups),
      eps(eps) {}

Tensor GroupNorm::operator()(const Tensor& x) const {
  return at::group_norm(x, groups, weight, bias, eps);
}

LayerNorm::LayerNorm(const Weights& weights, std::int64_t width, double eps)
    : weight(weights.tensor("weight", {width})), bias(weights.tensor("bias", {width})), eps(eps) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, eps);
}

Activation activation_from_name(const std::string& name, const std::string& file) {
  static const std::map<std::string, Activation> kNames = {
      {"silu", Activation::kSilu}, {"swish", Activation::kSilu},
      {"gelu", Activation::kGelu}, {"quick_gelu", Activation::kQuickGelu},
      {"mish", Activation::kMish}, {"relu", Activation::kRelu}};
  const auto known = kNames.find(name);
  if (known == kNames.end()) {
    std::vector<std::string> names;
    for (const auto& [known_name, activation] : kNames) names.push_back(known_name);
    fail_input(file, ": ", unknown_name("activation", name, names));
  }
  return known->second;
}

Tensor activate(Activation activation, const Tensor& x) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kQuickGelu:
      return x * at::sigmoid(1.702 * x);
    case Activation::kMish:
      return at::mish(x);
    case Activation::kRelu:
      return at::relu(x);
  }
  return x;
}

}  // namespace sdgen
