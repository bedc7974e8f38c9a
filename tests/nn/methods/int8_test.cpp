// Layers in 8-bit integers: exactly what their rounding says, and near the layers they stand for.
#include "nn/methods/int8.h"

#include <limits>

#include "compute/kernels/kernels.h"
#include "nn/methods/winograd.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

using testing::channels_last;
using testing::difference;
using testing::numbers;
using testing::rms;

class Int8 : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    // Where there are the instructions the multiplication must run, else the test fails.
    if (!at::globalContext().hasMKLDNN() || !__builtin_cpu_supports("avx512vnni") ||
        best_simd() != Simd::kAvx512)
      GTEST_SKIP() << "no AVX-512 VNNI and BF16: not of this processor, or not at this level";
    ASSERT_TRUE(multiplies_bytes());
  }
  static at::ScalarType dtype() { return GetParam(); }
  // Of a result, besides the error of the formula itself.
  static double rounding() { return dtype() == at::kFloat ? 1e-6 : 1.0 / 256; }
};

INSTANTIATE_TEST_SUITE_P(Dtypes, Int8, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

// Each row of x as whole numbers of max |row| / 127, in double. The input's kernel multiplies and rounds at
// once; weights are multiplied in float32 first.
Tensor rounded_inputs(const Tensor& x) {
  const Tensor highest = x.to(at::kFloat).abs().amax(-1, true);
  return at::round(x.to(at::kDouble) * (127 / highest).to(at::kDouble)) * (highest / 127).to(at::kDouble);
}
Tensor rounded_weights(const Tensor& x) {
  const Tensor scale = x.to(at::kFloat).abs().amax(-1, true) / 127;
  return at::round(x.to(at::kFloat) * (1 / scale)).to(at::kDouble) * scale.to(at::kDouble);
}

TEST_P(Int8, LinearsAreSumsOfRoundedNumbersAtEverySize) {
  for (const std::int64_t rows : {1, 2, 63, 64, 65, 130})
    for (const auto& [in, out] :
         {std::pair<std::int64_t, std::int64_t>{16, 16}, {20, 17}, {320, 64}, {64, 200}}) {
      SCOPED_TRACE(concat(rows, " rows, ", in, " -> ", out));
      const Tensor x = numbers({rows, in}, 1, dtype()), weight = numbers({out, in}, 2, dtype());
      const Tensor bias = numbers({out}, 3, dtype()), added = numbers({rows, out}, 4, dtype());
      const Tensor product = at::matmul(rounded_inputs(x), rounded_weights(weight).t());
      const ByteWeight bytes = int8_linear_weight(weight);
      EXPECT_TRUE(testing::is_close_to_scale(int8_linear(x, bytes, {}, {}), product, rounding()));
      EXPECT_TRUE(testing::is_close_to_scale(int8_linear(x, bytes, bias, added),
                                             product + bias.to(at::kDouble) + added.to(at::kDouble),
                                             rounding()));
      EXPECT_EQ(int8_linear(x.unsqueeze(0), bytes, bias, {}).sizes(), at::IntArrayRef({1, rows, out}));
    }
}

TEST_P(Int8, LinearsAreNearTheLinearsTheyStandFor) {
  const Tensor x = numbers({200, 320}, 1, dtype()), weight = numbers({640, 320}, 2, dtype());
  const Tensor exact = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
  EXPECT_LT(rms(difference(int8_linear(x, int8_linear_weight(weight), {}, {}), exact)), 0.012 * rms(exact));
}

TEST_P(Int8, ARowOfZerosGivesTheBias) {
  const Tensor bias = numbers({32}, 3, dtype());
  const Tensor y =
      int8_linear(at::zeros({2, 16}, dtype()), int8_linear_weight(numbers({32, 16}, 2, dtype())), bias, {});
  EXPECT_TRUE(at::equal(y[0], bias));
  EXPECT_TRUE(at::equal(y[1], bias));
}

TEST_P(Int8, WhatIsNotFiniteSpoilsItsOwnRowOnly) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const std::int64_t column : {0, 17, 19}) {
      Tensor x = numbers({3, 20}, 1, dtype());
      x[1][column] = bad;
      const Tensor y = int8_linear(x, int8_linear_weight(numbers({32, 20}, 2, dtype())), {}, {});
      EXPECT_TRUE(is_finite(y[0]));
      EXPECT_TRUE(at::isnan(y[1]).all().item<bool>());
      EXPECT_TRUE(is_finite(y[2]));
    }
}

TEST_P(Int8, WinogradIsNearTheDirectConvolution) {
  struct Case {
    std::int64_t batch, in, out, height, width;
  };
  for (const Case& c :
       {Case{1, 16, 16, 8, 8}, Case{2, 320, 64, 9, 7}, Case{1, 64, 200, 16, 17}, Case{3, 20, 80, 1, 2}}) {
    SCOPED_TRACE(concat(c.batch, " x ", c.in, " -> ", c.out, ", ", c.height, " x ", c.width));
    const Tensor x = channels_last(numbers({c.batch, c.in, c.height, c.width}, 1, dtype()));
    const Tensor weight =
        (numbers({c.out, c.in, 3, 3}, 2) / std::sqrt(9.0 * static_cast<double>(c.in))).to(dtype());
    const Tensor bias = numbers({c.out}, 3, dtype());
    const Tensor added = channels_last(numbers({c.batch, c.out, c.height, c.width}, 4, dtype()));
    ASSERT_TRUE(int8_fits(weight, c.in));
    const Tensor exact =
        at::conv2d(x.to(at::kDouble).contiguous(), weight.to(at::kDouble), bias.to(at::kDouble), 1, 1) +
        added.to(at::kDouble);
    const Tensor actual = winograd_int8_conv2d(x, winograd_int8_weight(weight), bias, added);
    EXPECT_TRUE(actual.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_LT(rms(difference(actual, exact)), 0.03 * rms(exact));
  }
}

}  // namespace
}  // namespace sdgen
