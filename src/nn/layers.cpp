#include "nn/layers.h"

#include <map>

#include "base/work_watch.h"
#include "compute/device_kernels.h"
#include "nn/group_norm.h"

namespace sdgen {

Linear::Linear(const Weights& weights, std::int64_t in, std::int64_t out, Bias with_bias)
    : Linear(weights.tensor("weight", {out, in}),
             with_bias == Bias::kYes ? weights.tensor("bias", {out}) : Tensor(), weights.quantize()) {}

Linear::Linear(const Tensor& weight, const Tensor& bias, Quantize quantize)
    : out_(weight.size(0)),
      method_(&linear_method_for(weight, quantize)),
      product_(method_->lay_out(weight, bias)) {
  layer_built();
}

Tensor Linear::operator()(const Tensor& x, const Tensor& added) const {
  layer_begins();
  const OperatorScope scope([&] {
    return OperatorCall{method_->operator_name,
                        2.0 * static_cast<double>(x.numel()) * static_cast<double>(out_)};
  });
  return product_(x, added);
}

Conv2d::Conv2d(const Weights& weights, std::int64_t in, std::int64_t out, const Geometry& geometry)
    : geometry_(geometry), bias_(weights.tensor("bias", {out})) {
  const Tensor weight = weights.tensor("weight", {out, in, geometry.kernel, geometry.kernel});
  method_ = &conv_method_for(weight, geometry, weights.quantize());
  product_ = method_->lay_out(weight, bias_, geometry, weights.quantize());
  layer_built();
}

OperatorCall Conv2d::call(const Tensor& x) const {
  const auto side = [&](std::int64_t size) {
    return (size + 2 * geometry_.padding - geometry_.kernel) / geometry_.stride + 1;
  };
  std::string name = concat("conv ", geometry_.kernel, "x", geometry_.kernel);
  if (geometry_.stride > 1) name += concat("/", geometry_.stride);
  return {name + method_->suffix,
          2.0 * static_cast<double>(x.size(0) * side(x.size(2)) * side(x.size(3))) *
              static_cast<double>(x.size(1) * bias_.size(0) * geometry_.kernel * geometry_.kernel)};
}

Tensor Conv2d::operator()(const Tensor& x, const Tensor& added) const {
  layer_begins();
  const OperatorScope scope([&] { return call(x); });
  return product_.apply(x.contiguous(at::MemoryFormat::ChannelsLast), added);
}

Tensor Conv2d::without_bias(const Tensor& x) const {
  if (!product_.without_bias) return {};
  layer_begins();
  const OperatorScope scope([&] { return call(x); });
  return product_.without_bias(x);
}

GroupNorm::GroupNorm(const Weights& weights, std::int64_t channels, std::int64_t groups, double eps)
    : weight(weights.tensor("weight", {channels})),
      bias(weights.tensor("bias", {channels})),
      groups(groups),
      eps(eps) {}

Tensor GroupNorm::operator()(const Tensor& x) const {
  const OperatorScope scope([] { return OperatorCall{"group norm"}; });
  if (group_norm_fits(x)) return fused_group_norm(x, weight, bias, groups, eps, {}, /*silu=*/false);
  if (has_device_group_norm(x, groups))
    return device_group_norm(x, weight, bias, groups, eps, {}, /*silu=*/false);
  return at::group_norm(x, groups, weight, bias, eps);
}

Tensor GroupNorm::activated(const Tensor& x, Activation activation, const Tensor& offset) const {
  const OperatorScope scope([] { return OperatorCall{"group norm, activated"}; });
  if (activation == Activation::kSilu && group_norm_fits(x))
    return fused_group_norm(x, weight, bias, groups, eps, offset, /*silu=*/true);
  if (activation == Activation::kSilu && has_device_group_norm(x, groups))
    return device_group_norm(x, weight, bias, groups, eps, offset, /*silu=*/true);
  return activate(activation, (*this)(offset.defined() ? x + offset.unsqueeze(-1).unsqueeze(-1) : x));
}

LayerNorm::LayerNorm(const Weights& weights, std::int64_t width, double eps)
    : weight(weights.tensor("weight", {width})), bias(weights.tensor("bias", {width})), eps(eps) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  const OperatorScope scope([] { return OperatorCall{"layer norm"}; });
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
