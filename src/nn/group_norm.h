// Group normalization in two passes over a channels_last map, for the CPU.
#pragma once

#include "base/tensor.h"

namespace sdgen {

// Whether fused_group_norm() takes this map: CPU, float32 or bfloat16, channels_last.
bool group_norm_fits(const Tensor& x);

// norm(x + offset) * weight + bias over `groups` groups of channels ("Group Normalization"), then silu where
// asked; sums in float32, their totals in double. x [N, C, h, w] channels_last, weight and bias [C], offset
// [1 or N, C] or undefined -> as x
Tensor fused_group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                        double eps, const Tensor& offset, bool silu);

}  // namespace sdgen
