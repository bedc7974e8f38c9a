// Conversions between number formats, and rows side by side, at every instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "compute/kernels/kernels.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

template <typename T>
class NumberFormats : public ::testing::Test {
 protected:
  static constexpr at::ScalarType kDtype = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;

  template <typename Body>
  static void for_each_level(const Body& body) {
    for (const Simd simd : {Simd::kBaseline, Simd::kAvx2, Simd::kAvx512}) {
      if (simd > best_simd()) continue;
      SCOPED_TRACE(concat("level ", static_cast<int>(simd)));
      body(kernels<T>(simd));
    }
  }

  struct Converted {
    Tensor numbers;
    bool finite;
  };
  static Converted convert(const Kernels<T>& kernel, const Tensor& x) {
    const Tensor y = at::full(x.sizes(), 7, at::TensorOptions(kDtype));
    auto* const to = static_cast<T*>(y.data_ptr());
    const void* const from = x.data_ptr();
    const std::int64_t count = x.numel();
    if (x.scalar_type() == at::kFloat)
      return {y, kernel.from_float(static_cast<const float*>(from), to, count)};
    const auto* const bits = static_cast<const std::uint16_t*>(from);
    return {y, x.scalar_type() == at::kHalf ? kernel.from_half(bits, to, count)
                                            : kernel.from_bfloat16(bits, to, count)};
  }

  // Equal, NaN for NaN; what is denormal in the result's format may have become 0.
  static void expect_same(const Tensor& actual, const Tensor& expected) {
    const Tensor a = actual.to(at::kDouble), e = expected.to(at::kDouble);
    EXPECT_TRUE(at::equal(at::isnan(a), at::isnan(e)));
    const Tensor flushed = e.abs().lt(std::numeric_limits<float>::min()).logical_and(a == 0);
    const Tensor wrong = (a == e).logical_or(at::isnan(e)).logical_or(flushed).logical_not();
    EXPECT_EQ(wrong.sum().template item<std::int64_t>(), 0)
        << "actual " << a.masked_select(wrong).narrow(0, 0, 1) << " expected "
        << e.masked_select(wrong).narrow(0, 0, 1);
  }
};

using Formats = ::testing::Types<float, std::uint16_t>;
TYPED_TEST_SUITE(NumberFormats, Formats);

// All 65536 bit patterns of a format of 16 bits.
Tensor every(at::ScalarType dtype) {
  return at::arange(-32768, 32768, at::kInt).to(at::kShort).view(dtype);
}

TYPED_TEST(NumberFormats, EveryNumberOf16BitsBecomesTheNearest) {
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
      SCOPED_TRACE(c10::toString(dtype));
      const Tensor x = every(dtype);
      const auto [numbers, finite] = TestFixture::convert(kernel, x);
      EXPECT_FALSE(finite) << "there are infinities and NaN among them";
      TestFixture::expect_same(numbers, x.to(at::kFloat).to(TestFixture::kDtype));
      const Tensor good = x.masked_select(at::isfinite(x));
      EXPECT_TRUE(TestFixture::convert(kernel, good).finite);
    }
  });
}

TYPED_TEST(NumberFormats, FloatsBecomeTheNearest) {
  const Tensor x = testing::numbers({50001}, 1) * testing::numbers({50001}, 2).mul(20).exp2();
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    for (const std::int64_t count : {0, 1, 15, 16, 17, 31, 33, 50001}) {
      SCOPED_TRACE(count);
      const Tensor some = x.narrow(0, 0, count);
      const auto [numbers, finite] = TestFixture::convert(kernel, some);
      EXPECT_TRUE(finite);
      if (count > 0) TestFixture::expect_same(numbers, some.to(TestFixture::kDtype));
    }
  });
}

TYPED_TEST(NumberFormats, OneNumberThatIsNotFiniteIsNoticedWhereverItStands) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16})
      for (const double bad : {std::nan(""), kInfinity, -kInfinity})
        for (const std::int64_t count : {1, 15, 16, 17, 31, 33, 100})
          for (std::int64_t at = 0; at < count; ++at) {
            const Tensor x = testing::numbers({count}, 1, dtype);
            x[at] = bad;
            ASSERT_FALSE(TestFixture::convert(kernel, x).finite)
                << c10::toString(dtype) << ' ' << bad << " at " << at << " of " << count;
          }
  });
}

TYPED_TEST(NumberFormats, AFloatBeyondTheResultsRangeIsNoticed) {
  const float largest = std::numeric_limits<float>::max();
  const Tensor x = at::tensor({1.0F, largest, -1.0F});
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    const auto [numbers, finite] = TestFixture::convert(kernel, x);
    EXPECT_EQ(finite, (std::is_same_v<TypeParam, float>)) << "rounded to bfloat16 it is infinite";
    EXPECT_TRUE(TestFixture::convert(kernel, x.clamp(-3.3895e38, 3.3895e38)).finite);
  });
}

TYPED_TEST(NumberFormats, PairsOfRowsLieAsBrgemmWantsThem) {
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    for (const std::int64_t count : {1, 15, 16, 17, 31, 33, 64}) {
      SCOPED_TRACE(count);
      const Tensor a = testing::numbers({count}, 1), b = testing::numbers({count}, 2);
      const Tensor y = at::full({2 * count + 40}, 7, at::TensorOptions(TestFixture::kDtype));
      kernel.pair_rows(a.data_ptr<float>(), b.data_ptr<float>(), static_cast<TypeParam*>(y.data_ptr()),
                       count);
      const Tensor pair = std::is_same_v<TypeParam, float> ? at::cat({a, b}) : at::stack({a, b}, 1).flatten();
      EXPECT_TRUE(at::equal(y.narrow(0, 0, 2 * count), pair.to(TestFixture::kDtype)));
      EXPECT_TRUE((y.narrow(0, 2 * count, 40) == 7).all().template item<bool>()) << "written beyond the end";
    }
  });
}

}  // namespace
}  // namespace sdgen
