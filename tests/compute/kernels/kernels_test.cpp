// Every instruction set that this machine runs, each against the same formula in double.
#include "compute/kernels/kernels.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "plain/errors.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

using testing::is_close_to_scale;
using testing::numbers;

constexpr std::int64_t kLengths[] = {1, 15, 16, 17, 31, 33, 64};
constexpr double kGuard = 7.5;  // stands behind every result and must still be there afterwards
constexpr std::int64_t kGuards = 40;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const char* name_of(Simd simd) {
  return simd == Simd::kAvx512 ? "AVX-512" : simd == Simd::kAvx2 ? "AVX2" : "baseline";
}

template <typename T>
class EveryLevel : public ::testing::Test {
 protected:
  static constexpr bool kIsFloat = std::is_same_v<T, float>;
  static constexpr at::ScalarType kDtype = kIsFloat ? at::kFloat : at::kBFloat16;
  // Of a result as T, besides the error of the formula itself.
  static constexpr double kRounding = kIsFloat ? 1e-6 : 1.0 / 256;

  static T* data(const Tensor& tensor) { return static_cast<T*>(tensor.data_ptr()); }
  static float* floats(const Tensor& tensor) { return tensor.data_ptr<float>(); }
  static Tensor inputs(at::IntArrayRef sizes, std::uint64_t seed) { return numbers(sizes, seed, kDtype); }

  static Tensor guarded(std::int64_t count, at::ScalarType dtype = kDtype) {
    return at::full({count + kGuards}, kGuard, at::TensorOptions(dtype));
  }
  // What was written, in `sizes`; the guard is looked at.
  static Tensor written(const Tensor& tensor, at::IntArrayRef sizes) {
    const std::int64_t count = tensor.numel() - kGuards;
    EXPECT_TRUE((tensor.narrow(0, count, kGuards) == kGuard).all().template item<bool>())
        << "written beyond the end";
    return tensor.narrow(0, 0, count).view(sizes);
  }

  template <typename Body>
  static void for_each_level(const Body& body) {
    for (const Simd simd : {Simd::kBaseline, Simd::kAvx2, Simd::kAvx512}) {
      if (simd > best_simd()) continue;
      SCOPED_TRACE(name_of(simd));
      body(kernels<T>(simd));
    }
  }
};

TEST(CpuLevel, OnlyLowersWhatTheMachineHas) {
  EXPECT_EQ(simd_within(Simd::kAvx512, nullptr), Simd::kAvx512);
  EXPECT_EQ(simd_within(Simd::kAvx2, ""), Simd::kAvx2);
  EXPECT_EQ(simd_within(Simd::kAvx512, "avx512-bf16"), Simd::kAvx512);
  EXPECT_EQ(simd_within(Simd::kAvx512, "avx2"), Simd::kAvx2);
  EXPECT_EQ(simd_within(Simd::kAvx512, "baseline"), Simd::kBaseline);
  EXPECT_EQ(simd_within(Simd::kAvx2, "avx512-bf16"), Simd::kAvx2);
  EXPECT_EQ(simd_within(Simd::kBaseline, "avx2"), Simd::kBaseline);
}

TEST(CpuLevel, AnUnknownOneIsRefusedWithThoseThereAre) {
  for (const char* level : {"avx3", "AVX2", " avx2", "avx2 "}) {
    SCOPED_TRACE(level);
    try {
      simd_within(Simd::kAvx512, level);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kRequest);
      EXPECT_EQ(std::string(error.what()).find(concat("SDGEN_CPU_LEVEL: unknown level '", level, "'")), 0u);
      EXPECT_NE(std::string(error.what()).find("known: baseline, avx2, avx512-bf16"), std::string::npos);
    }
  }
}

using Numbers = ::testing::Types<float, std::uint16_t>;
TYPED_TEST_SUITE(EveryLevel, Numbers);

TYPED_TEST(EveryLevel, SoftmaxBlocksKeepMaximumSumAndMixture) {
  using T = TypeParam;
  constexpr std::int64_t kRows = 3, kStride = 80;
  constexpr float kScale = 0.37F;
  for (const std::int64_t keys : kLengths)
    for (const std::int64_t width : kLengths) {
      SCOPED_TRACE(concat(keys, " keys, width ", width));
      TestFixture::for_each_level([&](const Kernels<T>& kernel) {
        const Tensor maximum = at::full({kRows}, -std::numeric_limits<float>::infinity());
        const Tensor sum = at::zeros({kRows}), mixed = at::zeros({kRows, width});
        Tensor all_maximum = maximum.to(at::kDouble), all_sum = sum.to(at::kDouble);
        for (const int block : {0, 1, 2}) {  // the second raises the maximum, the third does not
          const Tensor mixed_before = mixed.to(at::kDouble);
          const Tensor scores =
              numbers({kRows, kStride}, 10 + static_cast<std::uint64_t>(block)) * 8 + (block == 1 ? 6 : 0);
          const Tensor exact = scores.to(at::kDouble).narrow(1, 0, keys) * static_cast<double>(kScale);
          const Tensor new_maximum = at::maximum(all_maximum, std::get<0>(exact.max(1)));
          const Tensor expected = at::exp2(exact - new_maximum.unsqueeze(1));
          const Tensor shrink = at::exp2(all_maximum - new_maximum);
          all_maximum = new_maximum;
          all_sum = all_sum * shrink + expected.sum(1);

          const Tensor weights = TestFixture::guarded(kRows * kStride);
          const std::int64_t padded = (keys + 15) / 16 * 16;
          kernel.softmax_block({TestFixture::floats(scores), TestFixture::data(weights), kRows, keys, padded,
                                kStride, kScale, TestFixture::floats(maximum), TestFixture::floats(sum),
                                TestFixture::floats(mixed), width});
          const Tensor rows = TestFixture::written(weights, {kRows, kStride});
          EXPECT_TRUE(testing::is_close(rows.narrow(1, 0, keys), expected, 2 * TestFixture::kRounding));
          EXPECT_TRUE((rows.narrow(1, keys, padded - keys) == 0).all().template item<bool>());
          EXPECT_TRUE((rows.narrow(1, padded, kStride - padded) == kGuard).all().template item<bool>());
          EXPECT_TRUE(testing::is_close(maximum, all_maximum, 1e-5));
          EXPECT_TRUE(is_close_to_scale(sum, all_sum, 2 * TestFixture::kRounding));
          EXPECT_TRUE(testing::is_close(mixed, mixed_before * shrink.unsqueeze(1), 1e-5));
          mixed.copy_(numbers({kRows, width}, 20));
        }
      });
    }
}

TYPED_TEST(EveryLevel, SoftmaxWeightsMayReplaceTheScores) {
  if constexpr (std::is_same_v<TypeParam, float>) {
    TestFixture::for_each_level([&](const Kernels<float>& kernel) {
      const auto weights = [&](bool in_place) {
        const Tensor scores = numbers({2, 48}, 1), other = at::zeros({2, 48});
        const Tensor maximum = at::full({2}, -std::numeric_limits<float>::infinity());
        const Tensor sum = at::zeros({2}), mixed = at::zeros({2, 8});
        const Tensor& out = in_place ? scores : other;
        kernel.softmax_block({scores.data_ptr<float>(), out.data_ptr<float>(), 2, 33, 34, 48, 1.0F,
                              maximum.data_ptr<float>(), sum.data_ptr<float>(), mixed.data_ptr<float>(), 8});
        return out.narrow(1, 0, 34);
      };
      EXPECT_TRUE(at::equal(weights(true), weights(false)));
    });
  }
}

// What softmax_block() makes of the sum of 33 scores, one of which has these bits.
template <typename T>
float sum_with(const Kernels<T>& kernel, std::int64_t hit, std::uint32_t bits) {
  const Tensor scores = numbers({1, 48}, 1), sum = at::zeros({1}), mixed = at::zeros({1, 8});
  const Tensor maximum = at::full({1}, -std::numeric_limits<float>::infinity());
  std::vector<T> weights(48);
  scores.data_ptr<float>()[hit] = std::bit_cast<float>(bits);
  kernel.softmax_block({scores.data_ptr<float>(), weights.data(), 1, 33, 34, 48, 1.0F,
                        maximum.data_ptr<float>(), sum.data_ptr<float>(), mixed.data_ptr<float>(), 8});
  return sum.item<float>();
}

TYPED_TEST(EveryLevel, ANanScoreIsNotLost) {
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    for (const std::int64_t hit : {0, 15, 16, 31, 32})
      for (const std::uint32_t bits : {0x7fc00000U, 0xffc00000U})  // std's, and what 0 / 0 gives on x86
        EXPECT_TRUE(std::isnan(sum_with(kernel, hit, bits)))
            << "score " << hit << ", NaN " << std::hex << bits << ": the sum is "
            << sum_with(kernel, hit, bits);
  });
}

TYPED_TEST(EveryLevel, ANanScoreOfOtherBitsIsNotLost) {
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    for (const std::int64_t hit : {0, 15, 16, 31, 32})
      for (const std::uint32_t bits : {0x7fc00001U, 0x7fffffffU, 0xffffffffU, 0x7f800001U})
        ASSERT_TRUE(std::isnan(sum_with(kernel, hit, bits)))
            << "score " << hit << ", NaN " << std::hex << bits << ": the sum is "
            << sum_with(kernel, hit, bits);
  });
}

TYPED_TEST(EveryLevel, DivideRowsDividesEachRow) {
  for (const std::int64_t width : kLengths) {
    SCOPED_TRACE(width);
    TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
      const Tensor x = numbers({3, width}, 1), divisor = at::tensor({0.5F, 3.0F, 700.0F});
      const Tensor y = TestFixture::guarded(3 * 70);
      kernel.divide_rows(TestFixture::floats(x), TestFixture::floats(divisor), TestFixture::data(y), 3, width,
                         70);
      const Tensor rows = TestFixture::written(y, {3, 70});
      const Tensor expected = x.to(at::kDouble) / divisor.to(at::kDouble).unsqueeze(1);
      for (const int row : {0, 1, 2})
        EXPECT_TRUE(is_close_to_scale(rows[row].narrow(0, 0, width), expected[row], TestFixture::kRounding));
      EXPECT_TRUE((rows.narrow(1, width, 70 - width) == kGuard).all().template item<bool>());
    });
  }
}

TYPED_TEST(EveryLevel, ChannelSumsAreSums) {
  for (const std::int64_t channels : kLengths)
    for (const std::int64_t rows : {1, 7, 8, 9, 50})
      for (const bool far : {false, true}) {
        SCOPED_TRACE(concat(channels, " channels, ", rows, " rows", far ? ", about the first row" : ""));
        TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
          const Tensor x = TestFixture::inputs({rows, channels}, 1) + (far ? 100 : 0);
          const Tensor pivot = far ? x.select(0, 0).contiguous() : at::zeros_like(x.select(0, 0));
          const Tensor sum = TestFixture::guarded(channels, at::kFloat), squares = sum.clone();
          kernel.channel_sums(TestFixture::data(x), TestFixture::data(pivot), rows, channels,
                              TestFixture::floats(sum), TestFixture::floats(squares));
          const Tensor exact = x.to(at::kDouble) - pivot.to(at::kDouble);
          EXPECT_TRUE(testing::is_close(TestFixture::written(sum, {channels}), exact.sum(0),
                                        1e-6 * exact.abs().sum(0).max().template item<double>()));
          EXPECT_TRUE(
              is_close_to_scale(TestFixture::written(squares, {channels}), exact.square().sum(0), 1e-6));
        });
      }
}

TYPED_TEST(EveryLevel, ScaleShiftScalesAndShifts) {
  for (const std::int64_t channels : kLengths)
    for (const bool silu : {false, true}) {
      SCOPED_TRACE(concat(channels, " channels", silu ? ", silu" : ""));
      TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
        const Tensor x = TestFixture::inputs({5, channels}, 1) * 3;
        const Tensor scale = numbers({channels}, 2), shift = numbers({channels}, 3);
        const Tensor y = TestFixture::guarded(5 * channels);
        kernel.scale_shift(TestFixture::data(x), TestFixture::data(y), 5, channels,
                           TestFixture::floats(scale), TestFixture::floats(shift), silu);
        Tensor expected = x.to(at::kDouble) * scale.to(at::kDouble) + shift.to(at::kDouble);
        if (silu) expected = expected * at::sigmoid(expected);
        EXPECT_TRUE(
            is_close_to_scale(TestFixture::written(y, {5, channels}), expected, TestFixture::kRounding));
      });
    }
}

TYPED_TEST(EveryLevel, SiluAndGegluKeepTheirEnds) {
  const Tensor x = at::tensor({-1e30F, -1e4F, -200.0F, -100.0F, -88.0F, -20.0F, 0.0F, 20.0F, 88.0F, 100.0F,
                               200.0F, 1e4F, 1e30F, std::numeric_limits<float>::infinity(), kNan})
                       .to(TestFixture::kDtype)
                       .repeat({3});  // in whole vectors and beyond
  const std::int64_t count = x.numel();
  const Tensor ones = at::ones({count}), zeros = at::zeros({count});
  const Tensor gate = at::cat({at::ones_like(x), x});
  const Tensor exact = x.to(at::kDouble);
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    const Tensor silu = TestFixture::guarded(count), gelu = TestFixture::guarded(count);
    kernel.scale_shift(TestFixture::data(x), TestFixture::data(silu), 1, count, TestFixture::floats(ones),
                       TestFixture::floats(zeros), true);
    kernel.geglu(TestFixture::data(gate), TestFixture::data(gelu), 1, count);
    for (const auto& [actual, formula] :
         {std::pair{silu, exact * at::sigmoid(exact)}, {gelu, at::gelu(exact)}}) {
      const Tensor got = TestFixture::written(actual, {count}).to(at::kDouble);
      EXPECT_TRUE(at::equal(at::isnan(got), at::isnan(exact))) << "NaN stays, and there is no other\n" << got;
      // 1e30 * 2^-126 is what flushing the exponential at its smallest leaves.
      EXPECT_TRUE(at::allclose(got, formula, 2 * TestFixture::kRounding, 2e-5, true)) << got << formula;
    }
  });
}

TYPED_TEST(EveryLevel, GegluGates) {
  for (const std::int64_t width : kLengths) {
    SCOPED_TRACE(width);
    TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
      const Tensor x = TestFixture::inputs({5, 2 * width}, 1) * 2;
      const Tensor y = TestFixture::guarded(5 * width);
      kernel.geglu(TestFixture::data(x), TestFixture::data(y), 5, width);
      const Tensor exact = x.to(at::kDouble);
      EXPECT_TRUE(is_close_to_scale(TestFixture::written(y, {5, width}),
                                    exact.narrow(1, 0, width) * at::gelu(exact.narrow(1, width, width)),
                                    TestFixture::kRounding));
    });
  }
}

// The matrices of "Fast Algorithms for Convolutional Neural Networks", equation 8.
Tensor input_matrix() {
  return at::tensor({1., 0., -1., 0., 0., 1., 1., 0., 0., -1., 1., 0., 0., 1., 0., -1.}, at::kDouble)
      .view({4, 4});
}
Tensor filter_matrix() {
  return at::tensor({1., 0., 0., .5, .5, .5, .5, -.5, .5, 0., 0., 1.}, at::kDouble).view({4, 3});
}
Tensor output_matrix() {
  return at::tensor({1., 1., 1., 0., 0., 1., -1., -1.}, at::kDouble).view({2, 4});
}

// matrix t matrix^T for each channel of t [n, n, channels]
Tensor both_sides(const Tensor& matrix, const Tensor& tile) {
  return at::einsum("ai,bj,ijc->abc", {matrix, matrix, tile.to(at::kDouble)});
}

TYPED_TEST(EveryLevel, WinogradTransformsAreThePapers) {
  using T = TypeParam;
  for (const std::int64_t channels : kLengths) {
    SCOPED_TRACE(channels);
    const std::int64_t stride = channels + 3;
    const Tensor bias = numbers({channels}, 3), m = numbers({16, stride}, 4), g = numbers({9, channels}, 5);
    const Tensor d = TestFixture::inputs({16, channels}, 1), added = TestFixture::inputs({4, channels}, 2);
    const Tensor zeros = at::zeros_like(added);
    TestFixture::for_each_level([&](const Kernels<T>& kernel) {
      const Tensor v = TestFixture::guarded(16 * stride), u = TestFixture::guarded(16 * stride, at::kFloat);
      const T* positions[16];
      for (std::int64_t i = 0; i < 16; ++i) positions[i] = TestFixture::data(d) + i * channels;
      kernel.winograd_input(positions, TestFixture::data(v), stride, channels);
      EXPECT_TRUE(is_close_to_scale(TestFixture::written(v, {16, stride}).narrow(1, 0, channels),
                                    both_sides(input_matrix(), d.view({4, 4, channels})).flatten(0, 1),
                                    TestFixture::kRounding));

      kernel.winograd_filter(TestFixture::floats(g), TestFixture::floats(u), stride, channels);
      EXPECT_TRUE(is_close_to_scale(TestFixture::written(u, {16, stride}).narrow(1, 0, channels),
                                    both_sides(filter_matrix(), g.view({3, 3, channels})).flatten(0, 1),
                                    1e-6));

      for (const bool with_added : {false, true}) {
        const Tensor y = TestFixture::guarded(4 * channels);
        T* results[4];
        const T* addends[4];
        for (std::int64_t i = 0; i < 4; ++i) {
          results[i] = TestFixture::data(y) + i * channels;
          addends[i] = TestFixture::data(with_added ? added : zeros) + i * channels;
        }
        kernel.winograd_output(TestFixture::floats(m), stride, TestFixture::floats(bias), addends, results,
                               channels);
        Tensor expected =
            both_sides(output_matrix(), m.narrow(1, 0, channels).reshape({4, 4, channels})).flatten(0, 1) +
            bias.to(at::kDouble);
        if (with_added) expected = expected + added.to(at::kDouble);
        EXPECT_TRUE(
            is_close_to_scale(TestFixture::written(y, {4, channels}), expected, TestFixture::kRounding));
      }
    });
  }
}

}  // namespace
}  // namespace sdgen
