#include "base/tensor.h"

#include <algorithm>
#include <cmath>

namespace sdgen {

std::string shape_text(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) sizes.push_back(std::to_string(size));
  return concat("[", join(sizes), "]");
}

std::optional<std::uint64_t> stride_bytes(at::IntArrayRef shape, at::ScalarType dtype) {
  std::int64_t bytes = static_cast<std::int64_t>(c10::elementSize(dtype));
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes))
      return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

void require_shape(const Tensor& tensor, std::initializer_list<std::int64_t> shape, const std::string& name) {
  const at::IntArrayRef expected(shape);
  bool same = tensor.dim() == static_cast<std::int64_t>(expected.size());
  for (std::size_t i = 0; same && i < expected.size(); ++i)
    same = expected[i] == -1 || expected[i] == tensor.size(static_cast<std::int64_t>(i));
  if (!same)
    fail_working(name, ": expected shape ", shape_text(expected), ", got ", shape_text(tensor.sizes()));
}

bool is_finite(const Tensor& tensor) {
  // NaN and infinity survive a sum; a finite sum proves all finite. A sum that overflows is looked at
  // closely.
  if (std::isfinite(at::sum(tensor, at::kFloat).item<float>())) return true;
  return at::isfinite(tensor).all().item<bool>();
}

bool has_kernels(const Tensor& tensor) {
  return tensor.is_cpu() && (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

}  // namespace sdgen
