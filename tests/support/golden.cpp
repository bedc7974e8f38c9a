#include "support/golden.h"

#include "weights/formats/safetensors.h"

namespace sdgen::testing {
namespace {

std::string first_pairs(const Tensor& actual, const Tensor& expected) {
  const Tensor a = actual.flatten(), e = expected.flatten();
  std::string text;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(5, a.numel()); ++i)
    text += concat("\n  [", i, "] actual ", a[i].item<double>(), " expected ", e[i].item<double>());
  return text;
}

}  // namespace

std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(SDGEN_GOLDEN_DIR) / name;
}

Json golden_json(const std::string& name) {
  return read_json_file(golden_path(name));
}

GoldenTensors::GoldenTensors(const std::string& name) : source_(open_safetensors(golden_path(name))) {}

Tensor GoldenTensors::at(const std::string& key) const {
  if (!source_->find(key)) throw std::out_of_range("no golden tensor " + key);
  return source_->read(key);
}

::testing::AssertionResult is_close(const Tensor& actual, const Tensor& expected, double bound) {
  if (actual.sizes() != expected.sizes())
    return ::testing::AssertionFailure()
           << "shape " << shape_text(actual.sizes()) << ", expected " << shape_text(expected.sizes());
  const Tensor difference = (actual.to(at::kDouble) - expected.to(at::kDouble)).abs().flatten();
  const double worst = difference.max().item<double>();
  if (worst <= bound) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "differs by " << worst << " (bound " << bound << ") at flat index "
                                       << difference.argmax().item<std::int64_t>() << " of shape "
                                       << shape_text(actual.sizes()) << first_pairs(actual, expected);
}

::testing::AssertionResult is_same_picture(const Tensor& actual, const Tensor& expected) {
  const auto close = is_close(actual, expected, 1.0);
  const Tensor apart = (actual.to(at::kDouble) - expected.to(at::kDouble)).abs();
  const double mean = apart.mean().item<double>();
  if (!close)
    return ::testing::AssertionFailure()
           << close.message() << "; mean " << mean << ", more than the bound in "
           << (apart > 1.0).sum().item<std::int64_t>() << " places";
  if (mean < 0.01) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "mean difference " << mean << " of 255 (bound 0.01)";
}

}  // namespace sdgen::testing
