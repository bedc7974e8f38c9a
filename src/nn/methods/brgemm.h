// libtorch's block matrix multiplication for one thread: the oneDNN micro-kernel behind its own CPU
// attention.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <type_traits>

namespace sdgen {

// Neighbouring rows of the right-hand matrix that lie interleaved: 1 for float32, 2 for bfloat16 (VNNI).
template <typename Scalar>
constexpr std::int64_t kInterleaved = std::is_same_v<Scalar, float> ? 1 : 2;

// What the kernels call a tensor's number type.
template <typename Scalar>
using Bits = std::conditional_t<std::is_same_v<Scalar, float>, float, std::uint16_t>;

// c = a b, or c += a b. a [m, k] with rows of stride_a; b [k, n], or [k / 2, n, 2] for bfloat16, with rows of
// stride_b; c [m, n] with rows of stride_c.
template <typename Scalar>
void brgemm(std::int64_t m, std::int64_t n, std::int64_t k, const Scalar* a, std::int64_t stride_a,
            const Scalar* b, std::int64_t stride_b, float* c, std::int64_t stride_c, bool add);

// To be called by each thread once it has done its last brgemm().
template <typename Scalar>
void brgemm_done();

// Whether brgemm() and the vector kernels beside it run on this machine.
template <typename Scalar>
bool brgemm_runs();

// The same by the tensor's type: false for others than float32 and bfloat16, and off the CPU.
bool brgemm_runs_on(const at::Tensor& tensor);

}  // namespace sdgen
