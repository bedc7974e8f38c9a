#include "nn/methods/block_linear.h"
#include "nn/methods/methods.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "compute/kernels/kernels.h"
#include "nn/methods/brgemm.h"

namespace sdgen {
namespace {

constexpr std::int64_t kMaxWeights = 1 << 19;
constexpr std::int64_t kRows =
    32;  // of one multiplication: few, so that small inputs are work for all threads
constexpr std::int64_t kOutputs = 64;

template <typename Scalar>
Tensor pack(const Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  constexpr std::int64_t kPair = kInterleaved<Scalar>;
  Tensor packed = at::zeros({blocks(out, kOutputs), in, kOutputs}, weight.options());
  const Tensor plain = weight.contiguous();
  const auto* const from = plain.const_data_ptr<Scalar>();
  auto* const to = packed.data_ptr<Scalar>();
  for (std::int64_t o = 0; o < out; ++o)
    for (std::int64_t i = 0; i < in; ++i)
      to[(o / kOutputs * in + i / kPair * kPair) * kOutputs + o % kOutputs * kPair + i % kPair] =
          from[o * in + i];
  return packed;
}

template <typename Scalar>
Tensor multiply(const Tensor& x, const Tensor& packed, std::int64_t out, const Tensor& bias,
                const Tensor& added) {
  using Number = Bits<Scalar>;
  const std::int64_t in = x.size(-1), rows = x.numel() / in;
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = out;
  Tensor y = at::empty(shape, x.options());
  const Tensor plain = x.contiguous(), plain_added = added.defined() ? added.contiguous() : added;
  const Tensor biases =
      bias.defined() ? bias.to(at::kFloat) : at::zeros({out});  // no work where it is float32
  const auto* const from = plain.const_data_ptr<Scalar>();
  const auto* const weights = packed.const_data_ptr<Scalar>();
  const auto* const more =
      added.defined() ? static_cast<const Number*>(plain_added.const_data_ptr()) : nullptr;
  auto* const to = static_cast<Number*>(y.data_ptr());
  const std::int64_t columns = blocks(out, kOutputs);
  run_tasks(blocks(rows, kRows) * columns, [&](TaskCounter& tasks) {
    alignas(64) float sums[kRows * kOutputs];
    for (std::int64_t task = 0; tasks.next(task);) {
      const std::int64_t row = task / columns * kRows, column = task % columns * kOutputs;
      const std::int64_t m = std::min(kRows, rows - row), n = std::min(kOutputs, out - column);
      brgemm<Scalar>(m, n, in, from + row * in, in, weights + column * in, kOutputs, sums, kOutputs,
                     /*add=*/false);
      kernels<Number>().finish_sums(sums, m, n, kOutputs, biases.const_data_ptr<float>() + column,
                                    more ? more + row * out + column : nullptr, to + row * out + column, out);
    }
    brgemm_done<Scalar>();
  });
  return y;
}

}  // namespace

bool block_linear_fits(const Tensor& weight) {
  return brgemm_runs_on(weight) && weight.numel() <= kMaxWeights && weight.size(1) % 2 == 0 &&
         weight.size(1) > 0;
}

Tensor block_linear_weight(const Tensor& weight) {
  return weight.scalar_type() == at::kFloat ? pack<float>(weight) : pack<at::BFloat16>(weight);
}

Tensor block_linear(const Tensor& x, const Tensor& packed, std::int64_t out, const Tensor& bias,
                    const Tensor& added) {
  return x.scalar_type() == at::kFloat ? multiply<float>(x, packed, out, bias, added)
                                       : multiply<at::BFloat16>(x, packed, out, bias, added);
}

LinearMethod block_linear_method() {
  return {"blocks", "linear", [](const Tensor& weight, Quantize) { return block_linear_fits(weight); },
          [](const Tensor& weight, const Tensor& bias) -> LinearProduct {
            const std::int64_t out = weight.size(0);
            const Tensor sums = bias.defined() ? bias.to(at::kFloat) : at::zeros({out});
            return [blocks = block_linear_weight(weight), out, sums](const Tensor& x, const Tensor& added) {
              return block_linear(x, blocks, out, sums, added);
            };
          }};
}

}  // namespace sdgen
