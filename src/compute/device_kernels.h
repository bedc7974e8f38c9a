// What libtorch does on a GPU in several passes over memory, or with copies between layouts, as one of our
// own CUDA kernels. Maps are channels_last.
#pragma once

#include "base/tensor.h"

namespace sdgen {

// Whether there are kernels for x: on a GPU, in a build with nvcc, `channels` neighbouring numbers of it
// even.
bool has_device_kernels(const Tensor& x, std::int64_t channels);
// The same for GroupNorm of x [N, C, h, w].
bool has_device_group_norm(const Tensor& x, std::int64_t groups);

// norm(x + offset) * weight + bias, then silu where asked; as fused_group_norm() of src/nn.
Tensor device_group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                         double eps, const Tensor& offset, bool silu);

// y + bias + added, in y's memory where it is channels_last. y and added [N, C, h, w], bias [C]; added may be
// undefined.
Tensor device_add_to_map(const Tensor& y, const Tensor& bias, const Tensor& added);

// x1 * gelu(x2), x = [x1, x2]: [..., 2 * width] -> [..., width]
Tensor device_geglu(const Tensor& x);

}  // namespace sdgen
