// The work that layers say they are worth: 2 m n k of the direct method, whatever they compute with.
#include "compute/operator_clock.h"
#include "nn/attention.h"
#include "nn/layers.h"
#include "support/numbers.h"
#include "support/tensor_map.h"

namespace sdgen {
namespace {

using testing::channels_last;
using testing::numbers;

template <typename Work>
std::vector<OperatorTimes> operators_of(const Work& work) {
  OperatorClock clock{Compute()};
  work();
  return clock.take(3600.0);
}

// The only operator, and its multiplications and additions.
void expect_operator(const std::vector<OperatorTimes>& table, const std::string& name, double flop) {
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table[0].name, name);
  EXPECT_EQ(table[0].calls, 1u);
  EXPECT_DOUBLE_EQ(table[0].gflop * 1e9, flop);
}

Conv2d convolution(std::int64_t in, std::int64_t out, const Conv2d::Geometry& geometry,
                   at::ScalarType dtype = at::kFloat) {
  const auto source = std::make_shared<testing::TensorMap>();
  source->add("weight", numbers({out, in, geometry.kernel, geometry.kernel}, 1, dtype));
  source->add("bias", numbers({out}, 2, dtype));
  return {Weights(source, Compute{at::kCPU, dtype}, Weights::Mode::kRead), in, out, geometry};
}

class OperatorWork : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(OperatorWork, OfALinearIsItsRowsTimesItsWeights) {
  const Linear linear(numbers({24, 16}, 1, GetParam()), {});
  const Tensor x = numbers({2, 5, 16}, 2, GetParam());
  expect_operator(operators_of([&] { linear(x); }), "linear", 2.0 * 10 * 16 * 24);
}

TEST_P(OperatorWork, OfAConvolutionCountsItsOutputs) {
  const Tensor x = channels_last(numbers({2, 8, 6, 10}, 3, GetParam()));
  const Conv2d plain = convolution(8, 5, {3, 1, 1}, GetParam());
  const Conv2d strided = convolution(8, 5, {3, 2, 1}, GetParam());
  const Conv2d pointwise = convolution(8, 5, {1, 1, 0}, GetParam());
  expect_operator(operators_of([&] { plain(x); }), "conv 3x3", 2.0 * 2 * 6 * 10 * 5 * 8 * 9);
  expect_operator(operators_of([&] { strided(x); }), "conv 3x3/2", 2.0 * 2 * 3 * 5 * 5 * 8 * 9);
  expect_operator(operators_of([&] { pointwise(x); }), "conv 1x1", 2.0 * 2 * 6 * 10 * 5 * 8);
}

TEST_P(OperatorWork, OfWinogradIsThatOfTheDirectMethod) {
  const Conv2d conv = convolution(16, 32, {3, 1, 1}, GetParam());
  const bool winograd = conv.method().name == "winograd";
  const Tensor x = channels_last(numbers({1, 16, 7, 9}, 4, GetParam()));
  expect_operator(operators_of([&] { conv(x); }), winograd ? "conv 3x3 winograd" : "conv 3x3",
                  2.0 * 7 * 9 * 16 * 32 * 9);
}

TEST_P(OperatorWork, OfAttentionIsScoresAndMixture) {
  const Tensor q = numbers({2, 6, 16}, 5, GetParam()), kv = numbers({2, 9, 16}, 6, GetParam());
  expect_operator(operators_of([&] { multi_head_attention(q, kv, kv, 4); }), "attention",
                  2.0 * (2.0 * 2 * 6 * 9 * 16));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, OperatorWork, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace sdgen
