// The loops behind linears and the 8-bit loops at every instruction set that this machine runs, against their
// formulas.
#include <cmath>
#include <limits>
#include <vector>

#include "compute/kernels/kernels.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

using testing::numbers;

template <typename T>
class ByteKernels : public ::testing::Test {
 protected:
  static constexpr at::ScalarType kDtype = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;
  static constexpr double kRounding = std::is_same_v<T, float> ? 1e-6 : 1.0 / 256;

  static T* data(const Tensor& tensor) { return static_cast<T*>(tensor.data_ptr()); }

  template <typename Body>
  static void for_each_level(const Body& body) {
    for (const Simd simd : {Simd::kBaseline, Simd::kAvx2, Simd::kAvx512}) {
      if (simd > best_simd()) continue;
      SCOPED_TRACE(static_cast<int>(simd));
      body(kernels<T>(simd));
    }
  }
};

using Numbers = ::testing::Types<float, std::uint16_t>;
TYPED_TEST_SUITE(ByteKernels, Numbers);

TYPED_TEST(ByteKernels, RowsAreRoundedToTheNearestByte) {
  for (const std::int64_t count : {1, 15, 16, 17, 64, 333}) {
    const Tensor x = numbers({count}, 1, TestFixture::kDtype);
    const double highest = testing::largest(x);
    TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count) + 1, 77);
      const double scale = kernel.quantize_row(TestFixture::data(x), bytes.data(), count);
      EXPECT_NEAR(scale, highest / 127, 1e-6 * highest);
      for (std::int64_t i = 0; i < count; ++i)
        EXPECT_NEAR(bytes[static_cast<std::size_t>(i)] - 128, x[i].template item<double>() / scale, 0.5001)
            << i;
      EXPECT_EQ(bytes.back(), 77) << "written beyond the end";
    });
  }
}

TYPED_TEST(ByteKernels, ARowThatIsNotFiniteHasNoScale) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()})
    for (const std::int64_t place : {0, 20, 36}) {
      Tensor x = numbers({37}, 1, TestFixture::kDtype);
      x[place] = bad;
      TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
        std::vector<std::uint8_t> bytes(37);
        EXPECT_TRUE(std::isnan(kernel.quantize_row(TestFixture::data(x), bytes.data(), 37)));
      });
    }
}

TYPED_TEST(ByteKernels, ProductsAreScaledByRowAndColumn) {
  constexpr std::int64_t kRows = 3, kStride = 40;
  const Tensor sums = (10000 * numbers({kRows, kStride}, 1)).to(at::kInt),
               offset = (5000 * numbers({kStride}, 2)).to(at::kInt);
  const Tensor row_scale = numbers({kRows}, 3).abs(), column_scale = numbers({kStride}, 4).abs() / 1000,
               bias = numbers({kStride}, 5);
  for (const std::int64_t columns : {1, 16, 33}) {
    const Tensor added = numbers({kRows, columns}, 6, TestFixture::kDtype);
    const Tensor expected = ((sums - offset).to(at::kDouble) * row_scale.unsqueeze(1) * column_scale + bias)
                                .narrow(1, 0, columns);
    TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
      for (const bool with_added : {false, true}) {
        Tensor y = at::zeros({kRows, columns}, TestFixture::kDtype);
        kernel.scale_products(
            {sums.data_ptr<std::int32_t>(), kRows, columns, kStride, offset.data_ptr<std::int32_t>(),
             row_scale.data_ptr<float>(), column_scale.data_ptr<float>(), bias.data_ptr<float>(),
             with_added ? TestFixture::data(added) : nullptr, TestFixture::data(y), columns});
        EXPECT_TRUE(testing::is_close_to_scale(y, with_added ? expected + added.to(at::kDouble) : expected,
                                               TestFixture::kRounding));
      }
    });
  }
}

TYPED_TEST(ByteKernels, SumsOfFloatsGetTheirBiasAndWhatIsAdded) {
  constexpr std::int64_t kRows = 3, kStride = 40;
  const Tensor sums = numbers({kRows, kStride}, 1), bias = numbers({kStride}, 5);
  for (const std::int64_t columns : {1, 16, 33}) {
    const Tensor added = numbers({kRows, columns}, 6, TestFixture::kDtype);
    const Tensor expected = (sums + bias).narrow(1, 0, columns).to(at::kDouble);
    TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
      for (const bool with_added : {false, true}) {
        Tensor y = at::zeros({kRows, columns}, TestFixture::kDtype);
        kernel.finish_sums(sums.data_ptr<float>(), kRows, columns, kStride, bias.data_ptr<float>(),
                           with_added ? TestFixture::data(added) : nullptr, TestFixture::data(y), columns);
        EXPECT_TRUE(testing::is_close_to_scale(y, with_added ? expected + added.to(at::kDouble) : expected,
                                               TestFixture::kRounding));
      }
    });
  }
}

TYPED_TEST(ByteKernels, TilesOfBytesAreTransformedAsTheNumbersTheyStandFor) {
  constexpr std::int64_t kChannels = 37, kStride = 50, kSums = 64;
  const Tensor sums = (10000 * numbers({16, kSums}, 1)).to(at::kInt),
               offset = (5000 * numbers({16, kStride}, 2)).to(at::kInt);
  const Tensor row_scale = numbers({16}, 3).abs(), column_scale = numbers({16, kStride}, 4).abs() / 1000,
               bias = numbers({kChannels}, 5);
  const Tensor added = numbers({4, kChannels}, 6, TestFixture::kDtype);
  const Tensor products = ((sums.narrow(1, 0, kChannels) - offset.narrow(1, 0, kChannels)).to(at::kDouble) *
                           row_scale.unsqueeze(1) * column_scale.narrow(1, 0, kChannels))
                              .to(at::kFloat)
                              .contiguous();
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    const auto rows_of = [&](const Tensor& map) {
      std::vector<TypeParam*> rows;
      for (std::int64_t i = 0; i < 4; ++i) rows.push_back(TestFixture::data(map) + i * kChannels);
      return rows;
    };
    Tensor expected = at::zeros({4, kChannels}, TestFixture::kDtype), actual = at::zeros_like(expected);
    const std::vector<TypeParam*> added_rows = rows_of(added), expected_rows = rows_of(expected),
                                  actual_rows = rows_of(actual);
    kernel.winograd_output(products.data_ptr<float>(), kChannels, bias.data_ptr<float>(), added_rows.data(),
                           expected_rows.data(), kChannels);
    kernel.winograd_output_bytes({sums.data_ptr<std::int32_t>(), kSums, offset.data_ptr<std::int32_t>(),
                                  column_scale.data_ptr<float>(), kStride, row_scale.data_ptr<float>()},
                                 bias.data_ptr<float>(), added_rows.data(), actual_rows.data(), kChannels);
    EXPECT_TRUE(testing::is_close_to_scale(actual, expected, TestFixture::kRounding));
  });
}

TYPED_TEST(ByteKernels, InputTilesComeOutAsFloatsToo) {
  constexpr std::int64_t kChannels = 37;
  const Tensor d = numbers({16, kChannels}, 1, TestFixture::kDtype);
  std::vector<const TypeParam*> rows;
  for (std::int64_t i = 0; i < 16; ++i) rows.push_back(TestFixture::data(d) + i * kChannels);
  TestFixture::for_each_level([&](const Kernels<TypeParam>& kernel) {
    Tensor rounded = at::zeros({16, kChannels}, TestFixture::kDtype), floats = at::zeros({16, kChannels});
    kernel.winograd_input(rows.data(), TestFixture::data(rounded), kChannels, kChannels);
    kernel.winograd_input_float(rows.data(), floats.data_ptr<float>(), kChannels, kChannels);
    EXPECT_TRUE(at::equal(floats.to(TestFixture::kDtype), rounded));
  });
}

}  // namespace
}  // namespace sdgen
