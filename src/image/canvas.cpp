#include "image/canvas.h"

#include <algorithm>
#include <limits>

#include "plain/errors.h"

namespace sdgen {
namespace {

// Of the byte of a pixel's red.
std::ptrdiff_t offset_of(const Image& image, int x, int y) {
  return 3 * (static_cast<std::ptrdiff_t>(y) * image.width + x);
}

}  // namespace

Image blank_image(std::int64_t width, std::int64_t height, Color color) {
  constexpr std::int64_t kMaxPixels = std::numeric_limits<int>::max() / 8;
  if (width <= 0 || height <= 0 || width > kMaxPixels / height)
    fail_working("picture of ", width, "x", height,
                 " pixels: ", width <= 0 || height <= 0 ? "it is empty" : "too large");
  Image image{static_cast<int>(width), static_cast<int>(height), {}};
  image.rgb.resize(static_cast<std::size_t>(3 * width * height));
  for (std::size_t at = 0; at < image.rgb.size(); at += 3) {
    image.rgb[at] = color.r;
    image.rgb[at + 1] = color.g;
    image.rgb[at + 2] = color.b;
  }
  return image;
}

void require_pixels(const Image& image, std::string_view what) {
  if (image.width <= 0 || image.height <= 0)
    fail_working(what, " of ", image.width, "x", image.height, " pixels: it is empty");
  const auto bytes = 3 * static_cast<std::uint64_t>(image.width) * static_cast<std::uint64_t>(image.height);
  if (image.rgb.size() != bytes)
    fail_working(what, " of ", image.width, "x", image.height, " pixels: expected ", bytes, " bytes, got ",
                 image.rgb.size());
}

void paste(Image& onto, const Image& picture, int x, int y) {
  const int left = std::max(0, -x), right = std::min(picture.width, onto.width - x);
  if (left >= right) return;
  for (int row = std::max(0, -y); row < std::min(picture.height, onto.height - y); ++row)
    std::copy(picture.rgb.begin() + offset_of(picture, left, row),
              picture.rgb.begin() + offset_of(picture, right, row),
              onto.rgb.begin() + offset_of(onto, x + left, y + row));
}

Image enlarged(const Image& image, int factor) {
  if (factor == 1) return image;
  Image large = blank_image(std::int64_t{factor} * image.width, std::int64_t{factor} * image.height, {});
  for (int y = 0; y < large.height; ++y)
    for (int x = 0; x < large.width; ++x)
      std::copy_n(image.rgb.begin() + offset_of(image, x / factor, y / factor), 3,
                  large.rgb.begin() + offset_of(large, x, y));
  return large;
}

Image reduced(const Image& image, int factor) {
  if (factor == 1) return image;
  Image small = blank_image(std::max(1, image.width / factor), std::max(1, image.height / factor), {});
  for (int y = 0; y < small.height; ++y)
    for (int x = 0; x < small.width; ++x)
      for (int channel = 0; channel < 3; ++channel) {
        int sum = 0;
        for (int row = 0; row < factor; ++row)
          for (int column = 0; column < factor; ++column)
            sum += image.rgb[static_cast<std::size_t>(
                offset_of(image, std::min(image.width - 1, x * factor + column),
                          std::min(image.height - 1, y * factor + row)) +
                channel)];
        small.rgb[static_cast<std::size_t>(offset_of(small, x, y) + channel)] =
            static_cast<std::uint8_t>((sum + factor * factor / 2) / (factor * factor));
      }
  return small;
}

}  // namespace sdgen
