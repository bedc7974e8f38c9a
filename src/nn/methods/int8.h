// Linears in 8-bit integers, for the CPU (AVX-512 VNNI): weights have a scale an output channel, each row of
// the input one of its own, made when it comes. Twice the multiplications a second of bfloat16, at half the
// memory.
#pragma once

#include "base/tensor.h"

namespace sdgen {

// Rows or columns of one multiplication.
constexpr std::int64_t kByteBlock = 64;

// A weight as bytes: number = byte * scale[output].
struct ByteWeight {
  Tensor
      bytes;  // int8, in blocks of kByteBlock outputs, four inputs interleaved: [.., in / 4, kByteBlock, 4]
  Tensor scale;   // [.., out] float32
  Tensor offset;  // [.., out] int32: 128 times the sum of an output's bytes; input bytes lie around 128
};

// Whether this machine multiplies bytes (AVX-512 VNNI through oneDNN's micro-kernel).
bool multiplies_bytes();

// Whether a layer whose weight reads `in` inputs can be kept as bytes here.
bool int8_fits(const Tensor& weight, std::int64_t in);

// Writes `count` outputs (at most kByteBlock) of `in` inputs each, weights[i * stride + o], as one block.
void pack_bytes(const float* weights, std::int64_t stride, std::int64_t in, std::int64_t count,
                std::int8_t* bytes, float* scale, std::int32_t* offset);

// c = a b, or c += a b: a [m, k] bytes with rows of stride_a, b one block of ByteWeight, c [m, n] with rows
// of kByteBlock.
void multiply_bytes(std::int64_t m, std::int64_t n, std::int64_t k, const std::uint8_t* a,
                    std::int64_t stride_a, const std::int8_t* b, std::int32_t* c);

// To be called by each thread once it has done its last multiply_bytes().
void multiply_bytes_done();

ByteWeight int8_linear_weight(const Tensor& weight);  // [out, in]

// x [..., in] float32 or bfloat16, bias [out] or undefined -> [..., out]; `added`, undefined or of the
// result's shape, is added.
Tensor int8_linear(const Tensor& x, const ByteWeight& weight, const Tensor& bias, const Tensor& added);

}  // namespace sdgen
