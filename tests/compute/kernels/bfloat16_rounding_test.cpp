// How the kernels of every instruction set round to bfloat16.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "compute/kernels/kernels.h"
#include "support/numbers.h"

namespace sdgen {
namespace {

using Kernel = Kernels<std::uint16_t>;

bool is_nan(std::uint16_t bits) {
  return (bits & 0x7fffU) > 0x7f80U;
}
bool is_denormal(std::uint16_t bits) {
  return (bits & 0x7f80U) == 0 && (bits & 0x7fU) != 0;
}

template <typename Body>
void for_each_level(const Body& body) {
  for (const Simd simd : {Simd::kBaseline, Simd::kAvx2, Simd::kAvx512}) {
    if (simd > best_simd()) continue;
    SCOPED_TRACE(concat("level ", static_cast<int>(simd)));
    body(kernels<std::uint16_t>(simd));
  }
}

std::vector<std::uint16_t> rounded(const Kernel& kernel, const std::vector<float>& x) {
  std::vector<std::uint16_t> y(x.size());
  const float one = 1;
  const auto count = static_cast<std::int64_t>(x.size());
  kernel.divide_rows(x.data(), &one, y.data(), 1, count, count);
  return y;
}

TEST(Bfloat16Rounding, IsToNearestWithTiesToEven) {
  const std::vector<std::pair<std::uint32_t, std::uint16_t>> cases = {
      {0x3f800000, 0x3f80}, {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81},
      {0x3f817fff, 0x3f81}, {0x3f818000, 0x3f82}, {0x3f818001, 0x3f82}, {0x3fff8000, 0x4000},
      {0xbf808000, 0xbf80}, {0xbf818000, 0xbf82}, {0xbf808001, 0xbf81}, {0x00000000, 0x0000},
      {0x80000000, 0x8000}, {0x7f7f7fff, 0x7f7f}, {0x7f7f8000, 0x7f80}, {0x7f7fffff, 0x7f80},
      {0xff7fffff, 0xff80}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x00800000, 0x0080}};
  for_each_level([&](const Kernel& kernel) {
    for (const std::size_t count : {1, 15, 16, 17, 31, 33})
      for (std::size_t first = 0; first < cases.size(); ++first) {
        std::vector<float> x;
        for (std::size_t i = 0; i < count; ++i)
          x.push_back(std::bit_cast<float>(cases[(first + i) % cases.size()].first));
        const std::vector<std::uint16_t> y = rounded(kernel, x);
        for (std::size_t i = 0; i < count; ++i)
          ASSERT_EQ(y[i], cases[(first + i) % cases.size()].second)
              << std::hex << std::bit_cast<std::uint32_t>(x[i]) << " at " << std::dec << i << " of " << count;
      }
  });
}

TEST(Bfloat16Rounding, NanStaysNan) {
  for_each_level([&](const Kernel& kernel) {
    for (const std::uint32_t bits : {0x7fc00000U, 0x7f800001U, 0xff800001U, 0x7fffffffU, 0xffffffffU}) {
      for (const std::size_t count : {1, 16, 33}) {
        const std::vector<float> x(count, std::bit_cast<float>(bits));
        for (const std::uint16_t y : rounded(kernel, x))
          ASSERT_TRUE(is_nan(y)) << std::hex << bits << ' ' << y;
      }
    }
  });
}

TEST(Bfloat16Rounding, EqualsLibtorchsOnRandomNumbers) {
  const Tensor x = at::cat({testing::numbers({50001}, 1), testing::numbers({50000}, 2) * 1e30,
                            testing::numbers({50000}, 3) * 1e-30});
  const Tensor expected = x.to(at::kBFloat16);
  const auto* const bits = static_cast<const std::uint16_t*>(expected.data_ptr());
  const std::vector<float> values(x.data_ptr<float>(), x.data_ptr<float>() + x.numel());
  for_each_level([&](const Kernel& kernel) {
    const std::vector<std::uint16_t> y = rounded(kernel, values);
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], bits[i]) << values[i];
  });
}

TEST(Bfloat16Rounding, EveryBfloat16SurvivesMultiplicationByOne) {
  std::vector<std::uint16_t> x, y(65536);
  for (int bits = 0; bits < 65536; ++bits) x.push_back(static_cast<std::uint16_t>(bits));
  const std::vector<float> ones(64, 1.0F), minus_zeros(64, -0.0F);
  for_each_level([&](const Kernel& kernel) {
    kernel.scale_shift(x.data(), y.data(), 1024, 64, ones.data(), minus_zeros.data(), false);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (is_nan(x[i]))
        ASSERT_TRUE(is_nan(y[i])) << std::hex << x[i] << " became " << y[i];
      else if (is_denormal(x[i]))  // the instruction flushes them
        ASSERT_TRUE(y[i] == x[i] || (y[i] & 0x7fffU) == 0) << std::hex << x[i] << " became " << y[i];
      else
        ASSERT_EQ(y[i], x[i]) << std::hex;
    }
  });
}

}  // namespace
}  // namespace sdgen
