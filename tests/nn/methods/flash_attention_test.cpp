// Flash attention against softmax(Q K^T / sqrt(d)) V written out in double.
#include "nn/methods/flash_attention.h"

#include <cmath>
#include <limits>

#include "support/brgemm_test.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

using testing::difference;
using testing::is_close_to_scale;
using testing::largest;
using testing::numbers;
using testing::rms;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Inputs {
  Tensor q, k, v;

  Inputs to(at::ScalarType dtype) const { return {q.to(dtype), k.to(dtype), v.to(dtype)}; }
};

Tensor split_heads(const Tensor& x, std::int64_t heads) {
  return x.reshape({x.size(0), x.size(1), heads, -1}).transpose(1, 2);
}

Tensor join_heads(const Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), -1});
}

Tensor reference(const Inputs& in, std::int64_t heads) {
  const Tensor q = split_heads(in.q.to(at::kDouble), heads), k = split_heads(in.k.to(at::kDouble), heads),
               v = split_heads(in.v.to(at::kDouble), heads);
  const Tensor scores = at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
  return join_heads(at::matmul(at::softmax(scores, -1), v));
}

Tensor libtorch_attention(const Inputs& in, std::int64_t heads) {
  return join_heads(at::scaled_dot_product_attention(split_heads(in.q, heads), split_heads(in.k, heads),
                                                     split_heads(in.v, heads)));
}

// The same numbers as slices of joint projections, NaN all around: whoever reads beyond a row is found out.
Inputs among_nans(const Inputs& in) {
  const std::int64_t width = in.q.size(2), keys = in.k.size(1);
  const auto joint = [&](std::int64_t rows) {
    return at::full({in.q.size(0), rows + 3, 3 * width + 6}, kNan, in.q.options());
  };
  const Tensor queries = joint(in.q.size(1)), both = joint(keys);
  const Inputs slices{queries.narrow(1, 0, in.q.size(1)).narrow(2, 2, width),
                      both.narrow(1, 0, keys).narrow(2, 2, width),
                      both.narrow(1, 0, keys).narrow(2, width + 4, width)};
  slices.q.copy_(in.q);
  slices.k.copy_(in.k);
  slices.v.copy_(in.v);
  return slices;
}

Inputs random_inputs(std::int64_t batch, std::int64_t queries, std::int64_t keys, std::int64_t width,
                     at::ScalarType dtype) {
  return {numbers({batch, queries, width}, 1, dtype), numbers({batch, keys, width}, 2, dtype),
          numbers({batch, keys, width}, 3, dtype)};
}

// [rows, columns], each row `value` apart from noise.
Tensor rows_of(double value, double noise, at::IntArrayRef sizes, std::uint64_t seed) {
  return numbers(sizes, seed) * noise + value;
}

class FlashAttention : public testing::BrgemmTest {
 protected:
  // The result must be right; `float_bound` widens float32's for scores so large that their own rounding
  // shows (2^-24 of a score of 200, through the exponential).
  static void expect_right(const Inputs& in, std::int64_t heads, double float_bound = 2e-6) {
    const Inputs slices = among_nans(in.to(dtype()));
    ASSERT_TRUE(flash_attention_fits(slices.q, slices.k, slices.v, heads));
    const Tensor actual = flash_attention(slices.q, slices.k, slices.v, heads);
    EXPECT_EQ(actual.scalar_type(), dtype());
    const Tensor expected = reference(slices, heads);
    if (!is_bfloat16()) {
      EXPECT_TRUE(testing::is_close(actual, expected, float_bound * largest(slices.v)));
      return;
    }
    EXPECT_TRUE(testing::is_close(actual, expected, 0.01 * largest(slices.v)));
    const double error = rms(difference(actual, expected));
    const double libtorch = rms(difference(libtorch_attention(slices, heads), expected));
    EXPECT_LE(error, 1.5 * libtorch) << "libtorch's own bfloat16 attention is closer to the truth";
  }
};

INSTANTIATE_TEST_SUITE_P(Dtypes, FlashAttention, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST_P(FlashAttention, EqualsTheFormulaAtEveryHeadWidth) {
  for (const std::int64_t head : {8, 40, 64, 80, 128, 160, 512})
    for (const std::int64_t keys : {1, 2, 7, 77, 511, 512, 513, 1500}) {
      SCOPED_TRACE(concat("head width ", head, ", ", keys, " keys"));
      expect_right(random_inputs(2, 33, keys, 2 * head, dtype()), 2);
    }
}

TEST_P(FlashAttention, EqualsTheFormulaAtEveryNumberOfQueries) {
  for (const std::int64_t queries : {1, 2, 63, 64, 65, 300})
    for (const std::int64_t keys : {1, 2, 7, 77, 511, 512, 513, 1500}) {
      SCOPED_TRACE(concat(queries, " queries, ", keys, " keys"));
      expect_right(random_inputs(2, queries, keys, 3 * 40, dtype()), 3);
    }
}

TEST_P(FlashAttention, TakesContiguousTensorsAndSharedKeys) {
  const Inputs in = random_inputs(2, 70, 100, 4 * 24, dtype());
  EXPECT_TRUE(at::equal(flash_attention(in.q, in.k, in.v, 4),
                        [&] {
                          const Inputs slices = among_nans(in);
                          return flash_attention(slices.q, slices.k, slices.v, 4);
                        }()))
      << "the same numbers in another layout";
  const Tensor k = in.k.narrow(0, 0, 1), v = in.v.narrow(0, 0, 1);
  const Inputs shared{in.q, k.expand_as(in.k), v.expand_as(in.v)};
  if (flash_attention_fits(shared.q, shared.k, shared.v, 4)) {
    EXPECT_TRUE(is_close_to_scale(flash_attention(shared.q, shared.k, shared.v, 4), reference(shared, 4),
                                  is_bfloat16() ? 0.01 : 2e-6));
  }
}

TEST_P(FlashAttention, ReadsItsInputsOnly) {
  const Inputs in = among_nans(random_inputs(2, 65, 513, 2 * 40, dtype()));
  const Inputs before{in.q.clone(), in.k.clone(), in.v.clone()};
  flash_attention(in.q, in.k, in.v, 2);
  EXPECT_TRUE(at::equal(in.q, before.q));
  EXPECT_TRUE(at::equal(in.k, before.k));
  EXPECT_TRUE(at::equal(in.v, before.v));
}

TEST_P(FlashAttention, ScoresUpTo200MakeOneHotWeights) {
  for (const std::int64_t head : {40, 64, 160}) {
    Inputs in = random_inputs(1, 65, 700, 2 * head, dtype());
    const Tensor scores = at::matmul(split_heads(in.q.to(at::kDouble), 2),
                                     split_heads(in.k.to(at::kDouble), 2).transpose(2, 3));
    in.q = (in.q * (200 * std::sqrt(static_cast<double>(head)) / largest(scores))).to(dtype());
    SCOPED_TRACE(head);
    expect_right(in, 2, 4e-5);
  }
}

TEST_P(FlashAttention, AllScoresMayBeVeryNegative) {
  const std::int64_t head = 64;
  Inputs in = random_inputs(1, 65, 600, head, dtype());
  in.q = rows_of(-5, 0.1, in.q.sizes(), 4);
  in.k = rows_of(5, 0.1, in.k.sizes(), 5);  // scores about -25 * 64 / 8 = -200
  expect_right(in, 1, 2e-5);
}

TEST_P(FlashAttention, ConstantRowsGiveTheMean) {
  Inputs in = random_inputs(2, 65, 515, 2 * 40, dtype());
  in.v = in.v + 3;  // a mean that is not all cancellation
  in.q.zero_();
  expect_right(in, 2);
  in.q.fill_(2);
  in.k = at::full_like(in.k, 1.5);
  expect_right(in, 2);
}

TEST_P(FlashAttention, TheLargestScoreMayComeLast) {
  for (const std::int64_t keys : {65, 513, 1100}) {
    SCOPED_TRACE(keys);
    Inputs in = random_inputs(1, 65, keys, 64, dtype());
    in.q = rows_of(1, 0.05, in.q.sizes(), 4);
    // Score 0.1 to 150 along the keys: every block raises the maximum.
    in.k = at::linspace(0.01, 19, keys).view({1, keys, 1}).expand_as(in.k).contiguous();
    expect_right(in, 1, 2e-5);
    // All alike but the last one.
    in.k = rows_of(0, 0.1, in.k.sizes(), 5);
    in.k.narrow(1, keys - 1, 1).fill_(3);
    expect_right(in, 1, 2e-5);
    in.k = rows_of(-15, 0.1, in.k.sizes(), 5);
    in.k.narrow(1, keys - 1, 1).fill_(15);  // -120, then 120: what came before counts for nothing
    expect_right(in, 1, 2e-5);
  }
}

TEST_P(FlashAttention, LargeAndSmallValuesKeepTheirScale) {
  for (const double scale : {1e4, 1e-4}) {
    Inputs in = random_inputs(2, 65, 513, 2 * 40, dtype());
    in.v = in.v * scale;
    SCOPED_TRACE(scale);
    expect_right(in, 2);
  }
}

TEST_P(FlashAttention, NanInAQueryComesOutInItsRowAndHeadOnly) {
  const std::int64_t heads = 2, head = 40;
  for (const std::int64_t keys : {7, 77, 513})
    for (const std::int64_t row : {0, 63, 64}) {
      SCOPED_TRACE(concat(keys, " keys, row ", row));
      Inputs in = random_inputs(1, 65, keys, heads * head, dtype());
      const Tensor expected = reference(in, heads);
      in.q[0][row][head + 3] = kNan;
      const Tensor actual = flash_attention(in.q, in.k, in.v, heads);
      const Tensor hit = actual[0][row].narrow(0, head, head);
      EXPECT_TRUE(at::isnan(hit).all().item<bool>()) << "silently finite: " << hit.sum().item<double>();
      const Tensor healed = at::where(at::isnan(expected + difference(actual, actual)), expected, actual);
      EXPECT_EQ(at::isnan(actual).sum().item<std::int64_t>(), head);
      EXPECT_TRUE(is_close_to_scale(healed, expected, is_bfloat16() ? 0.03 : 4e-6));
    }
}

TEST_P(FlashAttention, NanInAKeyOrValueComesOut) {
  const std::int64_t heads = 2, head = 40;
  for (const std::int64_t keys : {7, 77, 513, 700})
    for (const std::int64_t hit : std::set<std::int64_t>{0, 5, keys / 2, keys - 1}) {
      SCOPED_TRACE(concat(keys, " keys, key ", hit));
      const Inputs in = random_inputs(1, 65, keys, heads * head, dtype());
      const Tensor k = in.k.clone(), v = in.v.clone();
      k[0][hit][3] = kNan;
      v[0][hit][3] = kNan;
      const Tensor by_key = at::isnan(flash_attention(in.q, k, in.v, heads)[0]);
      EXPECT_TRUE(by_key.narrow(1, 0, head).all().item<bool>()) << "every query of head 0 asks that key";
      EXPECT_FALSE(by_key.narrow(1, head, head).any().item<bool>());
      const Tensor by_value = at::isnan(flash_attention(in.q, in.k, v, heads)[0]);
      EXPECT_TRUE(by_value.select(1, 3).all().item<bool>());
      EXPECT_EQ(by_value.sum().item<std::int64_t>(), 65);
    }
}

TEST_P(FlashAttention, ScoresThatOverflowAreNotSilentlyFinite) {
  Inputs in = random_inputs(1, 5, 9, 16, dtype());
  in.q.fill_(1e30);
  in.k.fill_(1e30);
  EXPECT_FALSE(at::isfinite(flash_attention(in.q, in.k, in.v, 1)).any().item<bool>());
}

TEST_P(FlashAttention, FitsIsHonest) {
  const auto fits = [](const Tensor& x, std::int64_t heads) { return flash_attention_fits(x, x, x, heads); };
  const Tensor x = numbers({2, 20, 48}, 1, dtype());
  EXPECT_TRUE(fits(x, 2));
  EXPECT_FALSE(fits(x.to(at::kHalf), 2));
  EXPECT_FALSE(fits(x.to(at::kDouble), 2));
  EXPECT_FALSE(fits(x.transpose(1, 2).contiguous().transpose(1, 2), 2)) << "numbers of a row lie apart";
  EXPECT_FALSE(flash_attention_fits(x, x.transpose(1, 2).contiguous().transpose(1, 2), x, 2));
  EXPECT_FALSE(flash_attention_fits(x, x, x.transpose(1, 2).contiguous().transpose(1, 2), 2));
  const at::ScalarType other = is_bfloat16() ? at::kFloat : at::kBFloat16;
  EXPECT_FALSE(flash_attention_fits(x, x.to(other), x.to(other), 2)) << "mixed types";
  EXPECT_FALSE(flash_attention_fits(x.to(other), x, x, 2)) << "mixed types";
  EXPECT_FALSE(fits(at::empty({2, 20, 48}, at::TensorOptions(dtype()).device(at::kMeta)), 2));
  const Tensor odd = numbers({2, 20, 3 * 15}, 1, dtype());
  if (is_bfloat16()) {
    EXPECT_FALSE(fits(odd, 3)) << "an odd head width";
  } else if (fits(odd, 3)) {
    EXPECT_TRUE(is_close_to_scale(flash_attention(odd, odd, odd, 3), reference({odd, odd, odd}, 3), 2e-6));
  }
}

}  // namespace
}  // namespace sdgen
