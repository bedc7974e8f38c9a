// The fused group norm against at::group_norm in double.
#include "nn/group_norm.h"

#include <limits>

#include "support/numbers.h"

namespace sdgen {
namespace {

using testing::channels_last;
using testing::numbers;

constexpr double kEps = 1e-5;

struct Case {
  Tensor x, weight, bias, offset;
  std::int64_t groups;
  bool silu;
};

Tensor reference(const Case& c) {
  Tensor x = c.x.to(at::kDouble).contiguous();
  if (c.offset.defined()) x = x + c.offset.to(at::kDouble).unsqueeze(2).unsqueeze(3);
  const Tensor y = at::group_norm(x, c.groups, c.weight.to(at::kDouble), c.bias.to(at::kDouble), kEps, false);
  return c.silu ? y * at::sigmoid(y) : y;
}

Tensor fused(const Case& c) {
  return fused_group_norm(c.x, c.weight, c.bias, c.groups, kEps, c.offset, c.silu);
}

class GroupNorms : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static at::ScalarType dtype() { return GetParam(); }
  // Of the largest result: float32's sums, or bfloat16's rounding of the result.
  static double bound() { return dtype() == at::kBFloat16 ? 5e-3 : 5e-6; }

  static Case random_case(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width,
                          std::int64_t groups, bool silu = false) {
    return {channels_last(numbers({batch, channels, height, width}, 1, dtype())),
            (numbers({channels}, 2) * 0.2 + 1).to(dtype()),
            numbers({channels}, 3, dtype()),
            {},
            groups,
            silu};
  }

  static void expect_right(const Case& c, double bound) {
    ASSERT_TRUE(group_norm_fits(c.x));
    const Tensor actual = fused(c);
    EXPECT_EQ(actual.scalar_type(), dtype());
    EXPECT_TRUE(actual.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_TRUE(testing::is_close_to_scale(actual, reference(c), bound));
  }
};

INSTANTIATE_TEST_SUITE_P(Dtypes, GroupNorms, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(GroupNorms, EqualTheReferenceForEveryGroupAndChannelCount) {
  for (const std::int64_t channels : {32, 64, 96, 224, 320, 416})
    for (const std::int64_t groups : {1, 2, 4, 8, 16, 32})
      for (const bool silu : {false, true}) {
        SCOPED_TRACE(concat(channels, " channels, ", groups, " groups", silu ? ", silu" : ""));
        expect_right(random_case(2, channels, 9, 7, groups, silu), bound());
      }
  for (const auto& [channels, groups] :
       {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 1}, {3, 3}, {17, 17}, {30, 5}, {33, 11}, {100, 20}})
    for (const bool silu : {false, true}) {
      SCOPED_TRACE(concat(channels, " channels, ", groups, " groups", silu ? ", silu" : ""));
      expect_right(random_case(2, channels, 9, 7, groups, silu), bound());
    }
}

TEST_P(GroupNorms, AddTheOffsetBeforeTheyNormalize) {
  for (const std::int64_t channels : {30, 64, 320})
    for (const std::int64_t rows : {1, 3})
      for (const bool silu : {false, true}) {
        SCOPED_TRACE(concat(channels, " channels, ", rows, " rows of offset", silu ? ", silu" : ""));
        Case c = random_case(3, channels, 6, 11, 10, silu);
        c.groups = channels == 30 ? 10 : 32;
        c.offset = numbers({rows, channels}, 4, dtype()) * 3;
        expect_right(c, bound());
      }
}

TEST_P(GroupNorms, TakeASliceAsOffset) {
  Case c = random_case(2, 64, 5, 5, 32, true);
  c.offset = numbers({2, 128}, 4, dtype()).narrow(1, 64, 64);
  expect_right(c, bound());
}

TEST_P(GroupNorms, LargeMapsEqualTheReferenceOnAnyNumberOfThreads) {
  const Case c = random_case(2, 64, 130, 67, 32, true);
  for (const int threads : {1, 2, 3}) {
    const testing::Threads scope(threads);
    expect_right(c, bound());
  }
}

// A mean of 100 spreads: the numbers themselves are known to 100 * 2^-24 = 6e-6 spreads in float32; the
// variance as a difference of sums about 1e4 times itself keeps four digits at worst.
TEST_P(GroupNorms, ALargeMeanKeepsFourDigits) {
  for (const std::int64_t size : {4, 16, 64}) {
    SCOPED_TRACE(size);
    Case c = random_case(2, 64, size, size, 32);
    c.x = channels_last((numbers(c.x.sizes(), 5) + 100).to(dtype()));
    expect_right(c, dtype() == at::kBFloat16 ? 5e-3 : 1e-4);
    c = random_case(2, 64, size, size, 32);
    c.offset = at::full({1, 64}, 100, c.x.options().memory_format(at::MemoryFormat::Contiguous));
    expect_right(c, dtype() == at::kBFloat16 ? 5e-3 : 1e-4);
  }
}

TEST_P(GroupNorms, ScalesFarFromOneAreNormalizedToo) {
  for (const double scale : {1e-2, 1e4, 1e8}) {
    SCOPED_TRACE(scale);
    Case c = random_case(2, 64, 9, 9, 32);
    c.x = channels_last((numbers(c.x.sizes(), 5) * scale).to(dtype()));
    expect_right(c, bound());
  }
}

TEST_P(GroupNorms, NormalizeAMapOfOnePixel) {
  for (const bool silu : {false, true}) {
    expect_right(random_case(2, 64, 1, 1, 8, silu), bound());
    expect_right(random_case(1, 320, 1, 1, 32, silu), bound());
  }
}

TEST_P(GroupNorms, AConstantMapBecomesTheBias) {
  for (const double value : {0.0, 0.3, -7.0, 100.0, 1000.0}) {
    SCOPED_TRACE(value);
    Case c = random_case(2, 64, 13, 17, 32);
    c.x.fill_(value);
    const Tensor actual = fused(c);
    EXPECT_TRUE(is_finite(actual));
    EXPECT_TRUE(testing::is_close_to_scale(actual, reference(c), value > 99 ? 0.05 : 5e-3));
  }
}

TEST_P(GroupNorms, NanStaysInItsPictureAndGroup) {
  for (const bool silu : {false, true}) {
    Case c = random_case(2, 64, 9, 7, 8, silu);
    const Tensor healthy = fused(c);
    c.x[1][20][4][4] = std::numeric_limits<double>::quiet_NaN();
    const Tensor hit = fused(c);
    EXPECT_TRUE(at::equal(hit[0], healthy[0]));
    EXPECT_TRUE(at::isnan(hit[1].narrow(0, 16, 8)).all().item<bool>()) << "channel 20 is in group 2";
    EXPECT_EQ(at::isnan(hit).sum().item<std::int64_t>(), 8 * 9 * 7);
  }
}

TEST_P(GroupNorms, SiluOfLargeNumbersIsNotNan) {
  Case c = random_case(1, 32, 8, 8, 8, true);
  c.bias = at::cat({at::full({16}, -1e4, c.bias.options()), at::full({16}, 1e4, c.bias.options())});
  expect_right(c, bound());
}

TEST_P(GroupNorms, FitsIsHonest) {
  const Tensor map = numbers({2, 32, 5, 5}, 1, dtype());
  EXPECT_TRUE(group_norm_fits(channels_last(map)));
  EXPECT_FALSE(group_norm_fits(map)) << "channels first";
  EXPECT_FALSE(group_norm_fits(channels_last(map).narrow(1, 0, 16))) << "channels of a wider map";
  EXPECT_FALSE(group_norm_fits(channels_last(map.to(at::kHalf))));
  EXPECT_FALSE(group_norm_fits(channels_last(map.to(at::kDouble))));
  EXPECT_FALSE(group_norm_fits(
      at::empty({2, 32, 5, 5},
                at::TensorOptions(dtype()).device(at::kMeta).memory_format(at::MemoryFormat::ChannelsLast))));
}

}  // namespace
}  // namespace sdgen
