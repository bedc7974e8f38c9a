// Comparison with a reference in double, relative to the scale of the numbers, and threads for one test.
#pragma once

#include <ATen/Parallel.h>

#include "support/golden.h"

namespace sdgen::testing {

inline double largest(const Tensor& tensor) {
  return tensor.to(at::kDouble).abs().max().item<double>();
}

inline double rms(const Tensor& tensor) {
  return tensor.to(at::kDouble).square().mean().sqrt().item<double>();
}

inline Tensor difference(const Tensor& actual, const Tensor& expected) {
  return actual.to(at::kDouble) - expected.to(at::kDouble);
}

// |actual - expected| <= bound * max|expected| everywhere.
inline ::testing::AssertionResult is_close_to_scale(const Tensor& actual, const Tensor& expected,
                                                    double bound) {
  return is_close(actual, expected, bound * largest(expected));
}

// Random numbers that do not depend on the order of the tests.
inline Tensor numbers(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType dtype = at::kFloat) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  return at::randn(sizes, generator, at::TensorOptions(at::kFloat)).to(dtype);
}

inline Tensor channels_last(const Tensor& map) {
  return map.contiguous(at::MemoryFormat::ChannelsLast);
}

// libtorch's thread count, until the end of the scope.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace sdgen::testing
