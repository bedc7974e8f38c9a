// Reference results made by scripts/make_goldens (tests/golden/README.md), and comparison with them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/json_file.h"
#include "base/tensor.h"
#include "weights/tensor_source.h"

namespace sdgen::testing {

std::filesystem::path golden_path(const std::string& name);

Json golden_json(const std::string& name);

// A safetensors file of tensors.
class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& name);
  Tensor at(const std::string& key) const;

 private:
  std::shared_ptr<const TensorSource> source_;
};

// Passes if |actual - expected| <= bound everywhere and shapes agree. A failure shows the worst index and the
// first five pairs.
::testing::AssertionResult is_close(const Tensor& actual, const Tensor& expected, double bound);

// 8-bit pictures [N, H, W, 3]: no pixel off by more than 1, the mean difference under 0.01 (design, section
// 5).
::testing::AssertionResult is_same_picture(const Tensor& actual, const Tensor& expected);

}  // namespace sdgen::testing
