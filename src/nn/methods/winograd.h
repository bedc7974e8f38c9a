// 3x3 convolutions with 2.25 times fewer multiplications ("Fast Algorithms for Convolutional Neural
// Networks", Lavin and Gray, section 4.1: F(2x2, 3x3)), for the CPU. In float32 the result differs from the
// direct one by rounding; in bfloat16 the transformed tiles are rounded as well.
#pragma once

#include "base/tensor.h"
#include "nn/methods/int8.h"

namespace sdgen {

// Whether a stride-1, padding-1 convolution with this weight [out, in, 3, 3] is worth it and possible here.
bool winograd_fits(const Tensor& weight);

// The filters transformed and laid out for winograd_conv2d(): 16/9 of their size, one dimension.
Tensor winograd_weight(const Tensor& weight);  // [out, in, 3, 3]

// x [N, in, h, w] channels_last, `weight` by winograd_weight(), bias [out], `added` undefined or [N, out, h,
// w] channels_last -> [N, out, h, w] channels_last
Tensor winograd_conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& added);

// The same in 8-bit integers: each of the 16 elements has scales of its own, by output channel for the
// filters and by tile for the input, as an 8-bit linear has. Bytes [blocks of outputs, 16, ...], scale and
// offset [16, out]. For weights that winograd_fits() and int8_fits() take.
ByteWeight winograd_int8_weight(const Tensor& weight);
Tensor winograd_int8_conv2d(const Tensor& x, const ByteWeight& weight, const Tensor& bias,
                            const Tensor& added);

}  // namespace sdgen
