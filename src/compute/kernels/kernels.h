// The inner loops that libtorch has no fast operator for, compiled once an instruction set (kernels.inc) and
// chosen when the program runs. Raw pointers, one thread; whoever calls them shares out the work. T is float,
// or std::uint16_t for the bits of a bfloat16.
#pragma once

#include <cstdint>

namespace sdgen {

enum class Simd {
  kBaseline,  // what every x86-64, or another architecture, has
  kAvx2,      // AVX2 and FMA
  kAvx512,    // AVX-512 F, BW, DQ, VL and BF16
};

// One block of online softmax ("FlashAttention-2", algorithm 1).
template <typename T>
struct SoftmaxBlock {
  float* scores;  // [rows, stride]: Q K^T of this block of keys
  T* weights;     // [rows, stride], may be `scores`: 2^(scale * score - maximum), out
  std::int64_t rows;
  std::int64_t keys;         // valid columns
  std::int64_t padded_keys;  // weights beyond `keys` up to here become 0
  std::int64_t stride;
  float scale;     // log2(e) / sqrt(d)
  float* maximum;  // [rows] of scale * score so far, in and out
  float* sum;      // [rows] of weights so far, in and out
  float* mixed;    // [rows, width]: sum of weights * values so far, rescaled to the new maximum
  std::int64_t width;
};

// Sums of products of bytes, as numbers again: (sum - offset[c]) * row_scale[r] * column_scale[c] + bias[c] +
// added.
template <typename T>
struct ByteProducts {
  const std::int32_t* sums;  // [rows, stride]
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;
  const std::int32_t* offset;  // [columns]
  const float* row_scale;      // [rows]
  const float* column_scale;   // [columns]
  const float* bias;           // [columns]
  const T* added;              // [rows, y_stride], or null
  T* y;                        // [rows, y_stride]
  std::int64_t y_stride;
};

// The same of a Winograd tile: element i (0 to 15) of channel c at i * stride + c.
struct ByteTile {
  const std::int32_t* sums;
  std::int64_t sums_stride;
  const std::int32_t* offset;
  const float* column_scale;
  std::int64_t stride;     // of offset and column_scale
  const float* row_scale;  // [16]
};

template <typename T>
struct Kernels {
  void (*softmax_block)(const SoftmaxBlock<T>& block);

  // y[r][c] = x[r][c] / divisor[r]; y has rows of `stride`
  void (*divide_rows)(const float* x, const float* divisor, T* y, std::int64_t rows, std::int64_t width,
                      std::int64_t stride);

  // Sums of x - pivot[c] and of its square over rows of x [rows, channels]. A pivot near the mean keeps the
  // digits of a spread that is small beside it.
  void (*channel_sums)(const T* x, const T* pivot, std::int64_t rows, std::int64_t channels, float* sum,
                       float* square_sum);

  // y = x * scale[c] + shift[c], then silu where asked
  void (*scale_shift)(const T* x, T* y, std::int64_t rows, std::int64_t channels, const float* scale,
                      const float* shift, bool silu);

  // y[r][c] = x[r][c] * gelu(x[r][width + c]), x [rows, 2 * width]
  void (*geglu)(const T* x, T* y, std::int64_t rows, std::int64_t width);

  // Winograd's F(2x2, 3x3), B^T d B of one tile: d the 4x4 positions (row by row) of `channels` channels
  // each; element i of the result goes to v + i * stride.
  void (*winograd_input)(const T* const* d, T* v, std::int64_t stride, std::int64_t channels);
  void (*winograd_input_float)(const T* const* d, float* v, std::int64_t stride, std::int64_t channels);

  // G g G^T of `count` filters side by side: g [9, count] -> element i at u + i * stride
  void (*winograd_filter)(const float* g, float* u, std::int64_t stride, std::int64_t count);

  // Rows a and b as brgemm's right-hand side has them: interleaved for bfloat16, one after the other for
  // float.
  void (*pair_rows)(const float* a, const float* b, T* y, std::int64_t count);

  // y = x in another number format; false if a number is not finite there.
  bool (*from_float)(const float* x, T* y, std::int64_t count);
  bool (*from_bfloat16)(const std::uint16_t* x, T* y, std::int64_t count);
  bool (*from_half)(const std::uint16_t* x, T* y, std::int64_t count);

  // A^T m A + bias + added of one tile: element i of m at m + i * stride; the 2x2 results go to y[0] to y[3],
  // added[0] to added[3] (zeros where nothing is) are added to them.
  void (*winograd_output)(const float* m, std::int64_t stride, const float* bias, const T* const* added,
                          T* const* y, std::int64_t channels);
  void (*winograd_output_bytes)(const ByteTile& m, const float* bias, const T* const* added, T* const* y,
                                std::int64_t channels);

  // y = sums + bias[c] + added (may be null) over [rows, columns]; sums with rows of `stride`, added and y of
  // `y_stride`
  void (*finish_sums)(const float* sums, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                      const float* bias, const T* added, T* y, std::int64_t y_stride);

  // A row as bytes: y = x / scale rounded, + 128, with the returned scale = max |x| / 127; NaN where x holds
  // a number that is not finite.
  float (*quantize_row)(const T* x, std::uint8_t* y, std::int64_t count);
  void (*scale_products)(const ByteProducts<T>& products);
};

// The best that this machine can run; lower where the environment variable SDGEN_CPU_LEVEL says avx2 or
// baseline (avx512-bf16 is the highest), so that one machine tries what another would run. It is of these
// loops and of what is chosen by them: libtorch and oneDNN have variables of their own (tests/levels.cmake).
// Throws Error(kRequest) for another value.
Simd best_simd();

// "baseline", "avx2" or "avx512-bf16".
const char* simd_name(Simd simd);

// The lower one of `machine` and `level`, the variable's value; nullptr and "" ask for nothing.
Simd simd_within(Simd machine, const char* level);

template <typename T>
const Kernels<T>& kernels(Simd simd = best_simd());
template <>
const Kernels<float>& kernels<float>(Simd simd);
template <>
const Kernels<std::uint16_t>& kernels<std::uint16_t>(Simd simd);

}  // namespace sdgen
