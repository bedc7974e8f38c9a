// PNG -> RGB, by stb_image.
#pragma once

#include <string>
#include <vector>

#include "sdgen/image.h"

namespace sdgen {

// Without pixels: the size alone. Throws Error(kInput) naming `file`.
Image decode_png(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

}  // namespace sdgen
