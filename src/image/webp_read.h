// WebP -> RGB, by libwebp: the format's own library. Of a moving picture the first frame.
#pragma once

#include <string>
#include <vector>

#include "image/picture_notes.h"
#include "sdgen/image.h"

namespace sdgen {

// As stored, not turned; alpha is left aside. Without pixels: the size alone. Throws Error(kInput) naming
// `file`.
Image decode_webp(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

PictureNotes webp_notes(const std::vector<std::uint8_t>& bytes);

}  // namespace sdgen
