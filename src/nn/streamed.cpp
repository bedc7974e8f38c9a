#include "nn/streamed.h"

namespace sdgen {

std::uint64_t kept_bytes(const std::vector<std::vector<std::int64_t>>& shapes, const Compute& compute) {
  const std::uint64_t element = compute.quantize == Quantize::kInt8 ? 1 : c10::elementSize(compute.dtype);
  std::uint64_t bytes = 0;
  for (const std::vector<std::int64_t>& shape : shapes) {
    const auto numbers = static_cast<std::uint64_t>(c10::multiply_integers(shape));
    const bool is_filter = shape.size() == 4 && shape[2] == 3 && shape[3] == 3;
    bytes += (is_filter && compute.device.is_cpu() ? numbers * 16 / 9 : numbers) * element;
  }
  return bytes;
}

}  // namespace sdgen
