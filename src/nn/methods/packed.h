// Linears and convolutions on weights that oneDNN has laid out for this CPU once, when they were loaded,
// instead of at every call. The operators are libtorch's own (mkldnn::_linear_pointwise, ...); what is added
// is done while the result is still in registers.
#pragma once

#include "base/tensor.h"

namespace sdgen {

// Whether oneDNN is the fast way for weights like this on this machine: x86 CPU, float32 or native bfloat16.
bool packs(const Tensor& weight);

Tensor pack_linear(const Tensor& weight);  // [out, in]
// x [..., in] -> [..., out]; `added`, undefined or of the result's shape, is added.
Tensor packed_linear(const Tensor& x, const Tensor& packed, const Tensor& bias, const Tensor& added);

Tensor pack_conv2d(const Tensor& weight, std::int64_t stride, std::int64_t padding);  // [out, in, k, k]
// x [N, in, h, w] channels_last -> [N, out, h', w'] channels_last; `added` as above.
Tensor packed_conv2d(const Tensor& x, const Tensor& packed, const Tensor& bias, std::int64_t stride,
                     std::int64_t padding, const Tensor& added);

}  // namespace sdgen
