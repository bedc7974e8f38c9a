// Plain colours and rectangles of pixels, which labelled pictures are put together from.
#pragma once

#include <cstdint>
#include <string_view>

#include "sdgen/image.h"

namespace sdgen {

// sRGB, 8 bits a channel.
struct Color {
  std::uint8_t r, g, b;

  bool operator==(const Color&) const = default;
};

// width x height pixels of one colour. Throws Error(kWorking) if a side is not positive or the picture would
// be too large for a PNG.
Image blank_image(std::int64_t width, std::int64_t height, Color color);

// Throws Error(kWorking) naming `what` unless the picture has pixels, and as many bytes as they need.
void require_pixels(const Image& image, std::string_view what);

// Lays `picture` over `onto`, its top-left corner at (x, y); what lies outside of `onto` is left out.
void paste(Image& onto, const Image& picture, int x, int y);

// Each pixel as a square of factor x factor (1 or more).
Image enlarged(const Image& image, int factor);

// The mean of each square of factor x factor pixels (1 or more); what is left over at right and bottom is
// dropped.
Image reduced(const Image& image, int factor);

}  // namespace sdgen
