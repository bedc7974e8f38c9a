// RGB -> WebP, by libwebp.
#pragma once

#include <cstdint>
#include <vector>

#include "sdgen/image.h"

namespace sdgen {

// quality: 1 to 99, or 100: without loss. `exif`: a block from "Exif" on, or none. The picture fits
// (format_limit). Throws Error(kWorking).
std::vector<std::uint8_t> encode_webp(const Image& image, int quality, const std::vector<std::uint8_t>& exif);

}  // namespace sdgen
