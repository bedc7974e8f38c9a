// Linear and Conv2d as the models use them, prepacked or not, against at::linear and at::conv2d in double.
#include "nn/methods/packed.h"

#include "compute/kernels/kernels.h"
#include "nn/layers.h"
#include "support/numbers.h"
#include "support/tensor_map.h"

namespace sdgen {
namespace {

using testing::channels_last;
using testing::numbers;
using testing::TensorMap;

class Layers : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static at::ScalarType dtype() { return GetParam(); }
  // By what part rounding changes a number: half of the last of bfloat16's 8 bits.
  static double rounding() { return dtype() == at::kBFloat16 ? std::ldexp(1.0, -8) : 0.0; }
  // Adding up in float32, of the largest result.
  static constexpr double kAddition = 3e-6;
  // Where all is added up in float32 and rounded once; of the largest result.
  static double bound() { return rounding() + kAddition; }
  // Winograd rounds its transformed tiles as well.
  static double conv_bound() { return dtype() == at::kBFloat16 ? 0.02 : 1e-5; }
  // As large as a network's: the outputs have the size of the inputs.
  static Tensor weights(at::IntArrayRef sizes, std::uint64_t seed) {
    const double fan_in = static_cast<double>(c10::multiply_integers(sizes.slice(1)));
    return (numbers(sizes, seed) / std::sqrt(fan_in)).to(dtype());
  }

  // How far from the last of `rounded` a linear may be. Our loops and oneDNN round that sum alone. Where they
  // do not run libtorch rounds each of `rounded`, at every level of the processor: one that is not the last
  // may be the larger, and its error is rounded again.
  static double linear_bound(const Linear& linear, const std::vector<Tensor>& rounded) {
    if (linear.method().name != "plain") return bound() * testing::largest(rounded.back());
    double error = 0.0;
    for (const Tensor& sum : rounded) error = error * (1 + rounding()) + bound() * testing::largest(sum);
    return error;
  }

  static void expect_linear(const Linear& linear, const Tensor& weight, const Tensor& bias, const Tensor& x) {
    Tensor expected = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
    std::vector<Tensor> rounded;
    if (bias.defined()) {
      // at::linear starts its sums with the bias, but adds it to the product of an x that is not contiguous.
      if (!x.is_contiguous()) rounded.push_back(expected);
      expected = expected + bias.to(at::kDouble);
    }
    rounded.push_back(expected);
    const Tensor actual = linear(x);
    EXPECT_EQ(actual.scalar_type(), dtype());
    EXPECT_TRUE(testing::is_close(actual, expected, linear_bound(linear, rounded)));
    const Tensor added = numbers(expected.sizes(), 9, dtype()), kept = added.clone(), x_kept = x.clone();
    rounded.push_back(expected + added.to(at::kDouble));
    EXPECT_TRUE(testing::is_close(linear(x, added), rounded.back(), linear_bound(linear, rounded)));
    EXPECT_TRUE(at::equal(added, kept)) << "what is added is not where the result goes";
    EXPECT_TRUE(at::equal(x, x_kept));
  }
};

INSTANTIATE_TEST_SUITE_P(Dtypes, Layers, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(Layers, LinearsEqualTheReference) {
  for (const auto& [in, out] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                                {7, 5},
                                {16, 33},
                                {40, 40},
                                {320, 320},
                                {768, 130},
                                {1280, 64},
                                {1280, 640}})
    for (const bool with_bias : {false, true}) {
      SCOPED_TRACE(concat(in, " -> ", out, with_bias ? ", bias" : ""));
      const Tensor weight = weights({out, in}, 1), bias = with_bias ? numbers({out}, 2, dtype()) : Tensor();
      const Linear linear(weight.clone(), bias.defined() ? bias.clone() : bias);
      for (const auto& sizes : std::vector<std::vector<std::int64_t>>{
               {in}, {1, in}, {3, in}, {2, 77, in}, {2, 3, 4, in}, {65, in}}) {
        SCOPED_TRACE(shape_text(sizes));
        expect_linear(linear, weight, bias, numbers(sizes, 3, dtype()));
      }
    }
}

// A small one on the micro-kernel, a large one prepacked by oneDNN.
constexpr std::pair<std::int64_t, std::int64_t> kSmallAndLarge[] = {{40, 48}, {700, 800}};

TEST_P(Layers, LinearsTakeSlicesAndTransposes) {
  for (const auto& [in, out] : kSmallAndLarge) {
    SCOPED_TRACE(concat(in, " -> ", out));
    const Tensor weight = weights({out, in}, 1), bias = numbers({out}, 2, dtype());
    const Linear linear(weight.clone(), bias.clone());
    const Tensor joint = numbers({2, 30, 3 * in}, 3, dtype());
    expect_linear(linear, weight, bias, joint.narrow(2, in, in));
    expect_linear(linear, weight, bias, joint.narrow(1, 3, 5).narrow(2, 2 * in, in));
    expect_linear(linear, weight, bias, numbers({2, in, 30}, 4, dtype()).transpose(1, 2));
    expect_linear(linear, weight, bias, numbers({1, 30, in}, 5, dtype()).expand({3, 30, in}));
    const Tensor map = channels_last(numbers({2, in, 5, 6}, 6, dtype()));
    expect_linear(linear, weight, bias, map.permute({0, 2, 3, 1}));
  }
}

TEST_P(Layers, WhatALinearAddsMayBeStrided) {
  for (const auto& [in, out] : kSmallAndLarge) {
    SCOPED_TRACE(concat(in, " -> ", out));
    const Tensor weight = weights({out, in}, 1), x = numbers({2, 30, in}, 2, dtype());
    const Tensor added = numbers({2, out, 30}, 3, dtype()).transpose(1, 2);
    const Linear linear(weight.clone(), {});
    const Tensor product = at::linear(x.to(at::kDouble), weight.to(at::kDouble));
    const Tensor expected = product + added.to(at::kDouble);
    EXPECT_TRUE(testing::is_close(linear(x, added), expected, linear_bound(linear, {product, expected})));
  }
}

TEST_P(Layers, ConvolutionsOfEveryGeometryEqualTheReference) {
  for (const Conv2d::Geometry geometry : {Conv2d::Geometry{1, 1, 0},
                                          {1, 2, 0},
                                          {1, 1, 1},
                                          {3, 1, 1},
                                          {3, 2, 1},
                                          {3, 2, 0},
                                          {3, 1, 0},
                                          {5, 1, 2}})
    for (const auto& [in, out] :
         {std::pair<std::int64_t, std::int64_t>{4, 32}, {32, 4}, {64, 96}, {33, 17}}) {
      SCOPED_TRACE(concat("kernel ", geometry.kernel, ", stride ", geometry.stride, ", padding ",
                          geometry.padding, ", ", in, " -> ", out));
      const Tensor weight = weights({out, in, geometry.kernel, geometry.kernel}, 1);
      const Tensor bias = numbers({out}, 2, dtype());
      const auto source = std::make_shared<TensorMap>();
      source->add("weight", weight);
      source->add("bias", bias);
      const Conv2d conv(Weights(source, Compute{at::kCPU, dtype()}, Weights::Mode::kRead), in, out, geometry);
      for (const auto& [height, width] :
           {std::pair<std::int64_t, std::int64_t>{9, 11}, {16, 8}, {6, 5}, {9, 11}}) {
        SCOPED_TRACE(concat(height, " x ", width));
        const Tensor first = numbers({2, in, height, width}, 3, dtype());
        const Tensor expected = at::conv2d(first.to(at::kDouble), weight.to(at::kDouble),
                                           bias.to(at::kDouble), geometry.stride, geometry.padding);
        const Tensor added = numbers(expected.sizes(), 4, dtype());
        const Tensor wider = at::cat({first, first}, 1).contiguous(at::MemoryFormat::ChannelsLast);
        const Tensor flipped = first.transpose(2, 3).contiguous().transpose(2, 3);
        for (const Tensor& x : {channels_last(first), first, wider.narrow(1, in, in), flipped}) {
          const Tensor actual = conv(x);
          EXPECT_EQ(actual.scalar_type(), dtype());
          EXPECT_TRUE(actual.is_contiguous(at::MemoryFormat::ChannelsLast));
          EXPECT_TRUE(testing::is_close_to_scale(actual, expected, conv_bound()));
          EXPECT_TRUE(testing::is_close_to_scale(conv(x, channels_last(added)),
                                                 expected + added.to(at::kDouble), conv_bound()));
        }
      }
    }
}

TEST_P(Layers, PackedConvolutionsEqualTheReference) {
  const Tensor weight = weights({40, 24, 3, 3}, 1), bias = numbers({40}, 2, dtype());
  if (best_simd() < (dtype() == at::kBFloat16 ? Simd::kAvx512 : Simd::kAvx2))
    GTEST_SKIP() << "this processor has no instructions for it";
  ASSERT_TRUE(packs(weight));
  const Tensor packed = pack_conv2d(weight.clone(), 2, 1);
  const Tensor x = channels_last(numbers({2, 24, 9, 12}, 3, dtype()));
  const Tensor expected =
      at::conv2d(x.to(at::kDouble).contiguous(), weight.to(at::kDouble), bias.to(at::kDouble), 2, 1);
  const Tensor added = channels_last(numbers(expected.sizes(), 4, dtype())), kept = added.clone();
  EXPECT_TRUE(testing::is_close_to_scale(packed_conv2d(x, packed, bias, 2, 1, {}), expected, bound()));
  EXPECT_TRUE(testing::is_close_to_scale(packed_conv2d(x, packed, bias, 2, 1, added),
                                         expected + added.to(at::kDouble), bound()));
  EXPECT_TRUE(at::equal(added, kept));
}

TEST(Packs, OnlyNumberTypesThatOneDnnIsFastFor) {
  EXPECT_FALSE(packs(numbers({64, 64}, 1, at::kDouble)));
  EXPECT_FALSE(packs(at::empty({64, 64}, at::TensorOptions(at::kFloat).device(at::kMeta))));
}

}  // namespace
}  // namespace sdgen
