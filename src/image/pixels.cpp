#include "image/pixels.h"

namespace sdgen {

std::vector<Image> images_from_pixels(const Tensor& pixels) {
  require_shape(pixels, {-1, 3, -1, -1}, "pixels");
  const Tensor unit = (pixels.to(at::kFloat) / 2 + 0.5).clamp(0, 1);
  const Tensor bytes =
      (unit * 255).round().to(at::kByte).permute({0, 2, 3, 1}).contiguous().to(at::kCPU);  // [N, H, W, 3]
  std::vector<Image> images;
  for (std::int64_t i = 0; i < bytes.size(0); ++i) {
    const Tensor row = bytes[i];
    const auto* const data = row.const_data_ptr<std::uint8_t>();
    images.push_back(
        {static_cast<int>(row.size(1)), static_cast<int>(row.size(0)), {data, data + row.numel()}});
  }
  return images;
}

}  // namespace sdgen
