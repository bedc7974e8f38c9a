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

Tensor unit_pixels_from_image(const Image& image) {
  const Tensor bytes =
      at::tensor(at::ArrayRef<std::uint8_t>(image.rgb), at::kByte).view({1, image.height, image.width, 3});
  return bytes.permute({0, 3, 1, 2}).to(at::kFloat) / 255.0;
}

Tensor pixels_from_image(const Image& image) {
  return 2.0 * unit_pixels_from_image(image) - 1.0;
}

Tensor mask_from_image(const Image& image) {
  Tensor mask = at::empty({1, 1, image.height, image.width}, at::kFloat);
  auto* const values = mask.data_ptr<float>();
  for (std::size_t i = 0; i < image.rgb.size() / 3; ++i) {
    const std::uint8_t* const rgb = &image.rgb[3 * i];
    // ITU-R 601-2 luma in 16-bit fixed point, as Pillow's convert("L")
    const unsigned luma = (rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16;
    values[i] = static_cast<float>(luma) / 255.0F < 0.5F ? 0.0F : 1.0F;
  }
  return mask;
}

}  // namespace sdgen
