// The first frame of a GIF -> RGB, by giflib, whose indices and colours are put together as Pillow does it.
#pragma once

#include <string>
#include <vector>

#include "image/picture_notes.h"
#include "sdgen/image.h"

namespace sdgen {

// What is transparent has the colour that its index has. Without pixels: the size alone. Throws Error(kInput)
// naming `file`.
Image decode_gif(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels);

// The comment before the first frame.
PictureNotes gif_notes(const std::vector<std::uint8_t>& bytes);

}  // namespace sdgen
