// libtorch's own operators, and 1x1 convolutions as linears.
#include "compute/device_kernels.h"
#include "nn/methods/methods.h"
#include "nn/methods/packed.h"

namespace sdgen {
namespace {

ConvProduct plain_product(const Tensor& weight, const Tensor& bias, const ConvGeometry& geometry, Quantize) {
  const Tensor filters = weight.contiguous(at::MemoryFormat::ChannelsLast);
  const std::vector<std::int64_t> strides = {geometry.stride, geometry.stride},
                                  paddings = {geometry.padding, geometry.padding};
  ConvProduct product;
  product.apply = [=](const Tensor& map, const Tensor& added) -> Tensor {
    if (has_device_kernels(map, bias.size(0)))
      return device_add_to_map(at::conv2d(map, filters, {}, strides, paddings), bias, added);
    const Tensor y = at::conv2d(map, filters, bias, strides, paddings);
    return added.defined() ? added + y : y;
  };
  product.without_bias = [=](const Tensor& x) -> Tensor {
    if (!has_device_kernels(x, bias.size(0))) return {};
    return at::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast), filters, {}, strides, paddings);
  };
  return product;
}

// On CUDA, too: a matrix product adds the bias on the way, a convolution does not.
bool is_pointwise(const Tensor& weight, const ConvGeometry& geometry, Quantize) {
  return (packs(weight) || weight.is_cuda()) && geometry.kernel == 1 && geometry.stride == 1 &&
         geometry.padding == 0;
}

ConvProduct pointwise_product(const Tensor& weight, const Tensor& bias, const ConvGeometry&,
                              Quantize quantize) {
  const Tensor matrix = weight.flatten(1);
  const LinearProduct linear = linear_method_for(matrix, quantize).lay_out(matrix, bias);
  return {[linear](const Tensor& map, const Tensor& added) {
    return to_map(linear(to_patches(map), added.defined() ? to_patches(added) : added), map.sizes().slice(2));
  }};
}

}  // namespace

LinearMethod plain_linear_method() {
  return {"plain", "linear", [](const Tensor&, Quantize) { return true; },
          [](const Tensor& weight, const Tensor& bias) -> LinearProduct {
            return [weight, bias](const Tensor& x, const Tensor& added) {
              const Tensor y = at::linear(x, weight, bias);
              return added.defined() ? added + y : y;
            };
          }};
}

ConvMethod plain_conv_method() {
  return {"plain", "", [](const Tensor&, const ConvGeometry&, Quantize) { return true; }, plain_product};
}

ConvMethod pointwise_method() {
  return {"pointwise", "", is_pointwise, pointwise_product};
}

Tensor to_patches(const Tensor& map) {
  return map.contiguous(at::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1}).flatten(1, 2);
}

Tensor to_map(const Tensor& patches, at::IntArrayRef size) {
  return patches.unflatten(1, size).permute({0, 3, 1, 2});
}

}  // namespace sdgen
