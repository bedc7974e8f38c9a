#include "nn/methods/int8.h"
#include "nn/methods/methods.h"

#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "compute/kernels/kernels.h"
#include "nn/methods/brgemm.h"

namespace sdgen {
namespace {

constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: the sum's last byte is the rounded number

// The input's rows as bytes, each with its scale.
struct ByteRows {
  Tensor bytes;  // [rows, in] uint8
  Tensor scale;  // [rows] float32
};

template <typename T>
ByteRows quantize_rows(const Tensor& x) {  // [rows, in]
  const std::int64_t in = x.size(1);
  ByteRows rows{at::empty(x.sizes(), x.options().dtype(at::kByte)),
                at::empty({x.size(0)}, x.options().dtype(at::kFloat))};
  const auto* const from = static_cast<const T*>(x.const_data_ptr());
  auto* const bytes = rows.bytes.data_ptr<std::uint8_t>();
  auto* const scale = rows.scale.data_ptr<float>();
  parallel_chunks(x.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      scale[row] = kernels<T>().quantize_row(from + row * in, bytes + row * in, in);
  });
  return rows;
}

template <typename T>
void multiply(const ByteRows& rows, const ByteWeight& weight, const Tensor& bias, const T* added, T* y) {
  const std::int64_t count = rows.bytes.size(0), in = rows.bytes.size(1), out = weight.scale.size(0);
  const auto* const a = rows.bytes.const_data_ptr<std::uint8_t>();
  const auto* const b = weight.bytes.const_data_ptr<std::int8_t>();
  const std::int64_t columns = blocks(out, kByteBlock);
  run_tasks(blocks(count, kByteBlock) * columns, [&](TaskCounter& tasks) {
    std::vector<std::int32_t> sums(kByteBlock * kByteBlock);
    for (std::int64_t task = 0; tasks.next(task);) {
      const std::int64_t row = task / columns * kByteBlock, column = task % columns * kByteBlock;
      const std::int64_t m = std::min(kByteBlock, count - row), n = std::min(kByteBlock, out - column);
      multiply_bytes(m, n, in, a + row * in, in, b + column * in, sums.data());
      kernels<T>().scale_products(
          {sums.data(), m, n, kByteBlock, weight.offset.const_data_ptr<std::int32_t>() + column,
           rows.scale.const_data_ptr<float>() + row, weight.scale.const_data_ptr<float>() + column,
           bias.const_data_ptr<float>() + column, added ? added + row * out + column : nullptr,
           y + row * out + column, out});
    }
    multiply_bytes_done();
  });
}

template <typename T>
Tensor linear(const Tensor& x, const ByteWeight& weight, const Tensor& bias, const Tensor& added) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = weight.scale.size(0);
  Tensor y = at::empty(shape, x.options());
  const Tensor plain_added = added.defined() ? added.contiguous() : added;
  const Tensor plain_bias =
      bias.defined() ? bias.to(at::kFloat) : at::zeros(weight.scale.sizes(), weight.scale.options());
  multiply(quantize_rows<T>(x.reshape({-1, x.size(-1)}).contiguous()), weight, plain_bias,
           added.defined() ? static_cast<const T*>(plain_added.const_data_ptr()) : nullptr,
           static_cast<T*>(y.data_ptr()));
  return y;
}

}  // namespace

bool multiplies_bytes() {
#ifdef CPUBLAS_BRGEMM_U8I8I32
  static const bool runs = [] {
    // Without AVX-512 the micro-kernel would be told apart only by its speed.
    if (best_simd() != Simd::kAvx512) return false;
    const std::vector<std::uint8_t> a(16 * 16, 129);
    const std::vector<std::int8_t> b(16 * kByteBlock, 1);
    std::vector<std::int32_t> c(16 * kByteBlock);
    try {
      multiply_bytes(16, 16, 16, a.data(), 16, b.data(), c.data());
      multiply_bytes_done();
    } catch (const std::exception&) {  // libtorch was built without it, or the processor lacks VNNI
      return false;
    }
    return c.front() == 16 * 129;
  }();
  return runs;
#else
  return false;
#endif
}

bool int8_fits(const Tensor& weight, std::int64_t in) {
  return weight.is_cpu() && has_kernels(weight) && in >= 16 && in % 4 == 0 && weight.size(0) >= 16 &&
         multiplies_bytes();
}

void pack_bytes(const float* weights, std::int64_t stride, std::int64_t in, std::int64_t count,
                std::int8_t* bytes, float* scale, std::int32_t* offset) {
  std::vector<float> highest(static_cast<std::size_t>(count), 0.0F);
  for (std::int64_t i = 0; i < in; ++i)
    for (std::int64_t o = 0; o < count; ++o)
      highest[static_cast<std::size_t>(o)] =
          std::max(highest[static_cast<std::size_t>(o)], std::abs(weights[i * stride + o]));
  for (std::int64_t o = 0; o < count; ++o) {
    scale[o] = highest[static_cast<std::size_t>(o)] / 127.0F;
    highest[static_cast<std::size_t>(o)] = scale[o] > 0 ? 1.0F / scale[o] : 0.0F;
    offset[o] = 0;
  }
  for (std::int64_t i = 0; i < in; ++i)
    for (std::int64_t o = 0; o < count; ++o) {
      const float scaled = weights[i * stride + o] * highest[static_cast<std::size_t>(o)];
      const auto byte = static_cast<std::int8_t>(std::bit_cast<std::uint32_t>(scaled + kRound));
      bytes[(i / 4 * kByteBlock + o) * 4 + i % 4] = byte;
      offset[o] += 128 * byte;
    }
}

void multiply_bytes(std::int64_t m, std::int64_t n, std::int64_t k, const std::uint8_t* a,
                    std::int64_t stride_a, const std::int8_t* b, std::int32_t* c) {
#ifdef CPUBLAS_BRGEMM_U8I8I32
  at::native::cpublas::brgemm(m, n, k, stride_a, kByteBlock, kByteBlock, /*add_C=*/false, a, b, c,
                              /*is_vnni=*/true);
#else
  (void)m, (void)n, (void)k, (void)a, (void)stride_a, (void)b, (void)c;
#endif
}

void multiply_bytes_done() {
  at::native::cpublas::brgemm_release(/*is_vnni=*/true);
}

ByteWeight int8_linear_weight(const Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const auto options = weight.options();
  ByteWeight packed{at::zeros({blocks(out, kByteBlock) * kByteBlock * in}, options.dtype(at::kChar)),
                    at::empty({out}, options.dtype(at::kFloat)), at::empty({out}, options.dtype(at::kInt))};
  const Tensor columns = weight.t().to(at::kFloat).contiguous();  // [in, out]
  parallel_chunks(out, kByteBlock, [&](std::int64_t begin, std::int64_t end) {
    pack_bytes(columns.const_data_ptr<float>() + begin, out, in, end - begin,
               packed.bytes.data_ptr<std::int8_t>() + begin * in, packed.scale.data_ptr<float>() + begin,
               packed.offset.data_ptr<std::int32_t>() + begin);
  });
  return packed;
}

Tensor int8_linear(const Tensor& x, const ByteWeight& weight, const Tensor& bias, const Tensor& added) {
  return x.scalar_type() == at::kFloat ? linear<float>(x, weight, bias, added)
                                       : linear<std::uint16_t>(x, weight, bias, added);
}

LinearMethod int8_linear_method() {
  return {"int8", "linear int8",
          [](const Tensor& weight, Quantize quantize) {
            return quantize == Quantize::kInt8 && int8_fits(weight, weight.size(1));
          },
          [](const Tensor& weight, const Tensor& bias) -> LinearProduct {
            // Added to float32 sums.
            const Tensor sums = bias.defined() ? bias.to(at::kFloat) : at::zeros({weight.size(0)});
            return [bytes = int8_linear_weight(weight), sums](const Tensor& x, const Tensor& added) {
              return int8_linear(x, bytes, sums, added);
            };
          }};
}

}  // namespace sdgen
