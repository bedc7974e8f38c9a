// JPEG -> RGB, by libjpeg: the decoder of Pillow and of browsers, so that pixels agree with theirs.
#pragma once

#include <string>
#include <vector>

#include "image/picture_notes.h"
#include "sdgen/image.h"

namespace sdgen {

// As stored, not turned. CMYK becomes RGB as in Pillow, which takes it for Adobe's, inverted. Without pixels:
// the size alone. Throws Error(kInput) naming `file`.
Image decode_jpeg(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

PictureNotes jpeg_notes(const std::vector<std::uint8_t>& bytes);

}  // namespace sdgen
