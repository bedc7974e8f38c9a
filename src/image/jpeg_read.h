// JPEG -> RGB, by libjpeg: the decoder of Pillow and of browsers, so that pixels agree with theirs.
#pragma once

#include <string>
#include <vector>

#include "sdgen/image.h"

namespace sdgen {

// Turned as the EXIF orientation says. Without pixels: the size alone. Throws Error(kInput) naming `file`.
Image decode_jpeg(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

}  // namespace sdgen
