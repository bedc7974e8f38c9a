// RGB -> JPEG, by libjpeg.
#pragma once

#include <cstdint>
#include <vector>

#include "sdgen/image.h"

namespace sdgen {

// quality: 1 to 100; from 90 on colours are stored at full size, below at half (4:2:0). `exif`: a block from
// "Exif" on, or none. The picture and `exif` fit (format_limit). Throws Error(kWorking).
std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality, const std::vector<std::uint8_t>& exif);

}  // namespace sdgen
