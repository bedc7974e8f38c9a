// Attention whose score matrix is never in memory as a whole, for the CPU.
#pragma once

#include "base/tensor.h"

namespace sdgen {

// Whether flash_attention() can take these tensors on this machine: CPU, float32 (AVX2) or bfloat16
// (AVX-512 BF16), rows contiguous, an even head width.
bool flash_attention_fits(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads);

// softmax(Q K^T / sqrt(d)) V over `heads` heads, block by block with a running maximum and sum
// ("FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning", algorithm 1). Scores,
// sums and the mixture are float32. q [N, L, heads*d], k and v [N, S, heads*d], each possibly a slice of a
// joint projection -> [N, L, heads*d]
Tensor flash_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads);

}  // namespace sdgen
