#include <algorithm>

#include "nn/methods/methods.h"

namespace sdgen {

// One file a method; here is the only other place that knows its name.
LinearMethod int8_linear_method();
LinearMethod block_linear_method();
LinearMethod packed_linear_method();
LinearMethod plain_linear_method();
ConvMethod winograd_int8_method();
ConvMethod winograd_method();
ConvMethod pointwise_method();
ConvMethod packed_conv_method();
ConvMethod plain_conv_method();

const std::vector<LinearMethod>& linear_methods() {
  static const std::vector<LinearMethod> kMethods = {int8_linear_method(), block_linear_method(),
                                                     packed_linear_method(), plain_linear_method()};
  return kMethods;
}

const std::vector<ConvMethod>& conv_methods() {
  static const std::vector<ConvMethod> kMethods = {winograd_int8_method(), winograd_method(),
                                                   pointwise_method(), packed_conv_method(),
                                                   plain_conv_method()};
  return kMethods;
}

const LinearMethod& linear_method_for(const Tensor& weight, Quantize quantize) {
  return *std::find_if(linear_methods().begin(), linear_methods().end(),
                       [&](const LinearMethod& method) { return method.fits(weight, quantize); });
}

const ConvMethod& conv_method_for(const Tensor& weight, const ConvGeometry& geometry, Quantize quantize) {
  return *std::find_if(conv_methods().begin(), conv_methods().end(),
                       [&](const ConvMethod& method) { return method.fits(weight, geometry, quantize); });
}

}  // namespace sdgen
