// Winograd convolutions against the direct convolution in double.
#include "nn/methods/winograd.h"

#include <limits>

#include "support/brgemm_test.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

using testing::channels_last;
using testing::difference;
using testing::numbers;
using testing::rms;

struct Case {
  std::int64_t batch, in, out, height, width;
};

std::ostream& operator<<(std::ostream& stream, const Case& c) {
  return stream << c.batch << " x " << c.in << " -> " << c.out << " channels, " << c.height << " x "
                << c.width;
}

struct Inputs {
  Tensor x, weight, bias, added;
};

// Outputs about as large as the inputs, as in a network.
Inputs random_inputs(const Case& c, at::ScalarType dtype) {
  return {channels_last(numbers({c.batch, c.in, c.height, c.width}, 1, dtype)),
          (numbers({c.out, c.in, 3, 3}, 2) / std::sqrt(9.0 * static_cast<double>(c.in))).to(dtype),
          numbers({c.out}, 3, dtype), channels_last(numbers({c.batch, c.out, c.height, c.width}, 4, dtype))};
}

Tensor direct(const Inputs& in, bool with_added) {
  const Tensor y =
      at::conv2d(in.x.to(at::kDouble).contiguous(), in.weight.to(at::kDouble), in.bias.to(at::kDouble), 1, 1);
  return with_added ? y + in.added.to(at::kDouble) : y;
}

class Winograd : public testing::BrgemmTest {
 protected:
  static void expect_right(const Case& c) {
    SCOPED_TRACE(::testing::Message() << c);
    const Inputs in = random_inputs(c, dtype());
    const Tensor filters = winograd_weight(in.weight);
    for (const bool with_added : {false, true}) {
      SCOPED_TRACE(with_added ? "added" : "nothing added");
      const Tensor expected = direct(in, with_added);
      const Tensor actual = winograd_conv2d(in.x, filters, in.bias, with_added ? in.added : Tensor());
      EXPECT_EQ(actual.scalar_type(), dtype());
      EXPECT_TRUE(actual.is_contiguous(at::MemoryFormat::ChannelsLast));
      if (!is_bfloat16()) {
        EXPECT_TRUE(testing::is_close_to_scale(actual, expected, 1e-5));
        continue;
      }
      const double error = rms(difference(actual, expected));
      const double rounding = rms(difference(expected.to(at::kBFloat16), expected));
      const double ratio = error / rounding;
      EXPECT_LE(ratio, kRoundings) << "RMS error " << error << ", of rounding the exact result " << rounding;
      EXPECT_TRUE(testing::is_close_to_scale(actual, expected, 0.02));
    }
  }

  // bfloat16: RMS error in units of the RMS error of merely rounding the exact result. 2.1 is measured, at
  // 200 channels.
  static constexpr double kRoundings = 3.0;
};

INSTANTIATE_TEST_SUITE_P(Dtypes, Winograd, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(Winograd, EqualsTheDirectConvolutionAtEverySize) {
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                                      {1, 5},
                                      {5, 1},
                                      {2, 2},
                                      {3, 2},
                                      {7, 9},
                                      {16, 16},
                                      {33, 20}})
    for (const std::int64_t batch : {1, 2, 3}) expect_right({batch, 64, 64, height, width});
}

TEST_P(Winograd, EqualsTheDirectConvolutionAtEveryNumberOfChannels) {
  for (const std::int64_t in : {16, 24, 64, 100, 130, 200})
    for (const std::int64_t out : {16, 24, 64, 100, 130, 200}) expect_right({2, in, out, 7, 9});
}

TEST_P(Winograd, EqualsTheDirectConvolutionOverManyBlocksOfTiles) {
  expect_right({1, 32, 32, 130, 131});
  expect_right({3, 320, 70, 33, 47});
}

TEST_P(Winograd, TheResultDoesNotDependOnTheNumberOfThreads) {
  const Inputs in = random_inputs({2, 48, 80, 31, 30}, dtype());
  const Tensor filters = winograd_weight(in.weight);
  const auto with_threads = [&](int count) {
    const testing::Threads scope(count);
    return winograd_conv2d(in.x, filters, in.bias, in.added);
  };
  const Tensor one = with_threads(1);
  for (const int count : {2, 3}) EXPECT_TRUE(at::equal(with_threads(count), one)) << count;
}

TEST_P(Winograd, ReadsItsInputsOnly) {
  const Inputs in = random_inputs({1, 32, 32, 9, 9}, dtype());
  const Tensor filters = winograd_weight(in.weight);
  const Tensor x = in.x.clone(), added = in.added.clone(), kept = filters.clone();
  winograd_conv2d(in.x, filters, in.bias, in.added);
  EXPECT_TRUE(at::equal(in.x, x));
  EXPECT_TRUE(at::equal(in.added, added));
  EXPECT_TRUE(at::equal(filters.view(at::kByte), kept.view(at::kByte)));
}

TEST_P(Winograd, NanReachesItsNeighboursAndNoOtherTile) {
  for (const std::int64_t width : {12, 13}) {
    for (const auto& [row, column] : {std::pair<std::int64_t, std::int64_t>{0, 0}, {5, 6}, {10, 11}}) {
      SCOPED_TRACE(concat("width ", width, ", NaN at ", row, ", ", column));
      Inputs in = random_inputs({2, 32, 24, 11, width}, dtype());
      const Tensor filters = winograd_weight(in.weight);
      const Tensor healthy = winograd_conv2d(in.x, filters, in.bias, {});
      in.x[1][17][row][column] = std::numeric_limits<double>::quiet_NaN();
      const Tensor hit = winograd_conv2d(in.x, filters, in.bias, {});
      EXPECT_TRUE(at::equal(hit[0], healthy[0])) << "the other picture";
      for (std::int64_t y = 0; y < 11; ++y)
        for (std::int64_t x = 0; x < width; ++x) {
          const std::int64_t distance = std::max(std::abs(y - row), std::abs(x - column));
          const Tensor pixel = hit[1].select(1, y).select(1, x);
          if (distance <= 1) {
            EXPECT_TRUE(at::isnan(pixel).all().item<bool>()) << y << ' ' << x << " is silently finite";
          } else if (distance > 2) {  // a tile of 2x2 reads the 4x4 around it
            EXPECT_TRUE(at::equal(pixel, healthy[1].select(1, y).select(1, x))) << y << ' ' << x;
          }
        }
    }
  }
}

TEST_P(Winograd, InfinityDoesNotComeOutFinite) {
  Inputs in = random_inputs({1, 32, 24, 8, 8}, dtype());
  in.x[0][3][4][4] = std::numeric_limits<double>::infinity();
  const Tensor y = winograd_conv2d(in.x, winograd_weight(in.weight), in.bias, {});
  EXPECT_FALSE(at::isfinite(y[0].narrow(1, 3, 3).narrow(2, 3, 3)).any().item<bool>());
}

TEST_P(Winograd, FitsIsHonest) {
  EXPECT_TRUE(winograd_fits(numbers({320, 320, 3, 3}, 1, dtype())));
  EXPECT_TRUE(winograd_fits(channels_last(numbers({320, 320, 3, 3}, 1, dtype()))));
  EXPECT_TRUE(winograd_fits(numbers({48, 48, 3, 3}, 1, dtype())));
  EXPECT_FALSE(winograd_fits(numbers({32, 64, 3, 3}, 1, dtype())));  // too few channels to pay
  EXPECT_FALSE(winograd_fits(numbers({64, 32, 3, 3}, 1, dtype())));
  EXPECT_FALSE(winograd_fits(numbers({320, 320, 1, 1}, 1, dtype())));
  EXPECT_FALSE(winograd_fits(numbers({64, 64, 5, 5}, 1, dtype())));
  EXPECT_FALSE(winograd_fits(numbers({64, 64, 3, 1}, 1, dtype())));
  EXPECT_FALSE(winograd_fits(numbers({64, 64, 1, 3}, 1, dtype())));
  EXPECT_FALSE(winograd_fits(numbers({64, 64, 3, 3}, 1, at::kHalf)));
  EXPECT_FALSE(winograd_fits(numbers({64, 64, 3, 3}, 1, at::kDouble)));
  EXPECT_FALSE(winograd_fits(at::empty({320, 320, 3, 3}, at::TensorOptions(dtype()).device(at::kMeta))));
}

TEST_P(Winograd, WhateverFitsIsRight) {
  for (const auto& [in, out] : {std::pair<std::int64_t, std::int64_t>{3, 64},
                                {4, 64},
                                {64, 3},
                                {64, 4},
                                {17, 64},
                                {33, 31},
                                {65, 129}}) {
    if (winograd_fits(numbers({out, in, 3, 3}, 1, dtype()))) expect_right({1, in, out, 5, 6});
  }
}

}  // namespace
}  // namespace sdgen
