#include "nn/methods/packed.h"
#include "nn/methods/methods.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "compute/kernels/kernels.h"

namespace sdgen {
namespace {

// These operators have no C++ declaration; called by name, boxed, they look the same in every libtorch.
class Operator {
 public:
  explicit Operator(const char* name, const char* overload = "")
      : handle_(c10::Dispatcher::singleton().findSchemaOrThrow(name, overload)) {}

  template <typename... Arguments>
  Tensor operator()(Arguments&&... arguments) const {
    torch::jit::Stack stack;
    stack.reserve(sizeof...(arguments));
    (stack.emplace_back(std::forward<Arguments>(arguments)), ...);
    handle_.callBoxed(stack);
    return std::move(stack.front()).toTensor();
  }

 private:
  c10::OperatorHandle handle_;
};

c10::IValue optional(const Tensor& tensor) {
  return tensor.defined() ? c10::IValue(tensor) : c10::IValue();
}

c10::IValue pair(std::int64_t value) {
  return c10::List<std::int64_t>({value, value});
}

const c10::IValue& no_scalars() {
  static const c10::IValue none = c10::List<std::optional<at::Scalar>>();
  return none;
}

}  // namespace

bool packs(const Tensor& weight) {
  if (!weight.is_cpu() || !at::hasMKLDNN() || best_simd() == Simd::kBaseline) return false;
  return weight.scalar_type() == at::kFloat ||
         (weight.scalar_type() == at::kBFloat16 && best_simd() == Simd::kAvx512);
}

Tensor pack_linear(const Tensor& weight) {
  static const Operator reorder("mkldnn::_reorder_linear_weight");
  return reorder(weight, c10::IValue());
}

Tensor packed_linear(const Tensor& x, const Tensor& packed, const Tensor& bias, const Tensor& added) {
  static const Operator plain("mkldnn::_linear_pointwise");
  static const Operator binary("mkldnn::_linear_pointwise", "binary");
  if (added.defined()) return binary(x, added, packed, optional(bias), "add");
  return plain(x, packed, optional(bias), "none", no_scalars(), c10::IValue());
}

Tensor pack_conv2d(const Tensor& weight, std::int64_t stride, std::int64_t padding) {
  static const Operator reorder("mkldnn::_reorder_convolution_weight");
  return reorder(weight, pair(padding), pair(stride), pair(1), std::int64_t{1}, c10::IValue());
}

Tensor packed_conv2d(const Tensor& x, const Tensor& packed, const Tensor& bias, std::int64_t stride,
                     std::int64_t padding, const Tensor& added) {
  static const Operator plain("mkldnn::_convolution_pointwise");
  static const Operator binary("mkldnn::_convolution_pointwise", "binary");
  if (added.defined())
    return binary(x, added, packed, optional(bias), pair(padding), pair(stride), pair(1), std::int64_t{1},
                  "add", c10::IValue(1.0), c10::IValue(), no_scalars(), c10::IValue());
  return plain(x, packed, optional(bias), pair(padding), pair(stride), pair(1), std::int64_t{1}, "none",
               no_scalars(), c10::IValue());
}

LinearMethod packed_linear_method() {
  return {"packed", "linear", [](const Tensor& weight, Quantize) { return packs(weight); },
          [](const Tensor& weight, const Tensor& bias) -> LinearProduct {
            return [packed = pack_linear(weight), bias](const Tensor& x, const Tensor& added) {
              return packed_linear(x, packed, bias, added);
            };
          }};
}

ConvMethod packed_conv_method() {
  return {
      "packed", "", [](const Tensor& weight, const ConvGeometry&, Quantize) { return packs(weight); },
      [](const Tensor& weight, const Tensor& bias, const ConvGeometry& geometry, Quantize) -> ConvProduct {
        return {[packed = pack_conv2d(weight, geometry.stride, geometry.padding), bias, geometry](
                    const Tensor& x, const Tensor& added) {
          return packed_conv2d(x, packed, bias, geometry.stride, geometry.padding, added);
        }};
      }};
}

}  // namespace sdgen
