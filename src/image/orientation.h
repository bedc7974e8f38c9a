// Which way up a picture is shown.
#pragma once

#include "image/picture_notes.h"
#include "sdgen/image.h"

namespace sdgen {

// 1 (upright) to 8, EXIF's numbers: what the format itself says, else EXIF, else XMP, as Pillow's
// exif_transpose().
int orientation_of(const PictureNotes& notes);

// Whether width and height change places.
constexpr bool lies_on_its_side(int orientation) {
  return orientation >= 5;
}

// The picture as `orientation` wants it shown.
Image turned(Image image, int orientation);

}  // namespace sdgen
