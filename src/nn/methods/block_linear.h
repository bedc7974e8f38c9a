// Small linears, for the CPU: one multiplication a block of the result on libtorch's micro-kernel. Where a
// layer takes microseconds, oneDNN's operators spend more time on finding their kernel than on computing.
#pragma once

#include "base/tensor.h"

namespace sdgen {

// Whether this weight [out, in] is small enough, and the machine and dtype are right.
bool block_linear_fits(const Tensor& weight);

// [blocks of outputs, in, outputs of a block], bfloat16 with neighbouring inputs interleaved.
Tensor block_linear_weight(const Tensor& weight);  // [out, in]

// x [..., in], bias [out] or undefined -> [..., out]; `added`, undefined or of the result's shape, is added.
Tensor block_linear(const Tensor& x, const Tensor& blocks, std::int64_t out, const Tensor& bias,
                    const Tensor& added);

}  // namespace sdgen
