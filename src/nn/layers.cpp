#include "nn/layers.h"

#include <map>

#include "compute/device_kernels.h"
#include "compute/operator_scope.h"
#include "nn/group_norm.h"
#include "nn/methods/block_linear.h"
#include "nn/methods/packed.h"
#include "nn/methods/winograd.h"

namespace sdgen {
namespace {

OperatorCall linear_call(const Linear& linear, const Tensor& x) {
  const bool int8 = linear.method == Linear::Method::kInt8;
  return {int8 ? "linear int8" : "linear",
          2.0 * static_cast<double>(x.numel()) * static_cast<double>(linear.out)};
}

OperatorCall conv2d_call(const Conv2d& conv, const Tensor& x) {
  const bool int8 = conv.method == Conv2d::Method::kWinogradInt8;
  const bool winograd = int8 || conv.method == Conv2d::Method::kWinograd;
  const std::int64_t kernel = winograd ? 3 : conv.linear ? 1 : conv.weight.size(2);
  const auto side = [&](std::int64_t size) { return (size + 2 * conv.padding - kernel) / conv.stride + 1; };
  std::string name = concat("conv ", kernel, "x", kernel);
  if (conv.stride > 1) name += concat("/", conv.stride);
  if (winograd) name += int8 ? " winograd int8" : " winograd";
  return {name, 2.0 * static_cast<double>(x.size(0) * side(x.size(2)) * side(x.size(3))) *
                    static_cast<double>(x.size(1) * conv.bias.size(0) * kernel * kernel)};
}

}  // namespace

Linear::Linear(const Weights& weights, std::int64_t in, std::int64_t out, Bias with_bias)
    : Linear(weights.tensor("weight", {out, in}),
             with_bias == Bias::kYes ? weights.tensor("bias", {out}) : Tensor(), weights.quantize()) {}

Linear::Linear(const Tensor& weight, const Tensor& bias, Quantize quantize)
    : out(weight.size(0)), bias(bias) {
  if (quantize == Quantize::kInt8 && int8_fits(weight, weight.size(1))) {
    method = Method::kInt8;
    bytes = int8_linear_weight(weight);
  } else if (block_linear_fits(weight)) {
    method = Method::kBlocks;
    this->weight = block_linear_weight(weight);
  } else if (packs(weight)) {
    method = Method::kPacked;
    this->weight = pack_linear(weight);
  } else {
    this->weight = weight;
  }
  // These two add it to float32 sums.
  if (method == Method::kInt8 || method == Method::kBlocks)
    this->bias = bias.defined() ? bias.to(at::kFloat) : at::zeros({out});
}

Tensor Linear::operator()(const Tensor& x, const Tensor& added) const {
  const OperatorScope scope([&] { return linear_call(*this, x); });
  return apply(x, added);
}

Tensor Linear::apply(const Tensor& x, const Tensor& added) const {
  if (method == Method::kInt8) return int8_linear(x, bytes, bias, added);
  if (method == Method::kBlocks) return block_linear(x, weight, out, bias, added);
  if (method == Method::kPacked) return packed_linear(x, weight, bias, added);
  const Tensor y = at::linear(x, weight, bias);
  return added.defined() ? added + y : y;
}

Conv2d::Conv2d(const Weights& weights, std::int64_t in, std::int64_t out, const Geometry& geometry)
    : weight(weights.tensor("weight", {out, in, geometry.kernel, geometry.kernel})),
      bias(weights.tensor("bias", {out})),
      stride(geometry.stride),
      padding(geometry.padding) {
  if (stride == 1 && padding == 1 && winograd_fits(weight)) {
    if (weights.quantize() == Quantize::kInt8 && int8_fits(weight, in)) {
      method = Method::kWinogradInt8;
      bytes = winograd_int8_weight(weight);
      weight.reset();
    } else {
      method = Method::kWinograd;
      weight = winograd_weight(weight);
    }
    bias = bias.to(at::kFloat);  // added to float32 sums
  } else if ((packs(weight) || weight.is_cuda()) && geometry.kernel == 1 && stride == 1 && padding == 0) {
    method = Method::kLinear;  // on CUDA: a matrix product adds the bias on the way, a convolution does not
    linear.emplace(weight.flatten(1), bias, weights.quantize());
    weight.reset();
  } else if (packs(weight)) {
    method = Method::kPacked;
    weight = pack_conv2d(weight, stride, padding);
  } else {
    weight = weight.contiguous(at::MemoryFormat::ChannelsLast);
  }
}

Tensor Conv2d::operator()(const Tensor& x, const Tensor& added) const {
  const OperatorScope scope([&] { return conv2d_call(*this, x); });
  const Tensor map = x.contiguous(at::MemoryFormat::ChannelsLast);
  switch (method) {
    case Method::kWinograd:
      return winograd_conv2d(map, weight, bias, added);
    case Method::kWinogradInt8:
      return winograd_int8_conv2d(map, bytes, bias, added);
    case Method::kPacked:
      return packed_conv2d(map, weight, bias, stride, padding, added);
    case Method::kLinear:
      return to_map(linear->apply(to_patches(map), added.defined() ? to_patches(added) : added),
                    map.sizes().slice(2));
    case Method::kPlain:
      break;
  }
  const std::vector<std::int64_t> strides = {stride, stride}, paddings = {padding, padding};
  if (has_device_kernels(map, bias.size(0)))
    return device_add_to_map(at::conv2d(map, weight, {}, strides, paddings), bias, added);
  const Tensor y = at::conv2d(map, weight, bias, strides, paddings);
  return added.defined() ? added + y : y;
}

Tensor Conv2d::without_bias(const Tensor& x) const {
  if (method != Method::kPlain || !has_device_kernels(x, bias.size(0))) return {};
  const OperatorScope scope([&] { return conv2d_call(*this, x); });
  return at::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast), weight, {}, {stride, stride},
                    {padding, padding});
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

Tensor to_patches(const Tensor& map) {
  return map.contiguous(at::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1}).flatten(1, 2);
}

Tensor to_map(const Tensor& patches, at::IntArrayRef size) {
  return patches.unflatten(1, size).permute({0, 3, 1, 2});
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
