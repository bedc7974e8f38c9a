// AVIF -> RGB, by libavif: the library of Pillow and of browsers.
#pragma once

#include <string>
#include <vector>

#include "image/picture_notes.h"
#include "sdgen/image.h"

namespace sdgen {

// As stored, not turned; alpha is left aside; of a moving picture the first frame. Without pixels: the size
// alone. Throws Error(kInput) naming `file`, Error(kWorking) where libavif cannot be opened.
Image decode_avif(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

PictureNotes avif_notes(const std::vector<std::uint8_t>& bytes);

// Whether a file begins as an AVIF does.
bool is_avif(const std::vector<std::uint8_t>& bytes);

}  // namespace sdgen
