// BMP -> RGB.
#pragma once

#include <string>
#include <vector>

#include "sdgen/image.h"

namespace sdgen {

// Windows' and OS/2's, of 1 to 32 bits, RLE included; alpha is left aside. Without pixels: the size alone.
// Throws Error(kInput) naming `file`. stb_image's would do but for colours past the palette's end, which it
// takes from memory that nobody wrote.
Image decode_bmp(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

}  // namespace sdgen
