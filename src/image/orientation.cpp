#include "image/orientation.h"

#include <algorithm>
#include <utility>

#include "image/exif.h"

namespace sdgen {

int orientation_of(const PictureNotes& notes) {
  if (notes.orientation) return *notes.orientation;
  if (const auto orientation = exif_orientation(notes.exif)) return *orientation;
  return xmp_orientation(notes.xmp).value_or(1);
}

Image turned(Image image, int orientation) {
  if (orientation == 1) return image;
  Image result = image;
  if (lies_on_its_side(orientation)) std::swap(result.width, result.height);
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      int from_x = lies_on_its_side(orientation) ? y : x, from_y = lies_on_its_side(orientation) ? x : y;
      // Which of the stored picture's axes run backwards.
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        from_x = image.width - 1 - from_x;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        from_y = image.height - 1 - from_y;
      const auto* const from = &image.rgb[std::size_t{3} * (std::size_t(from_y) * image.width + from_x)];
      std::copy(from, from + 3, &result.rgb[std::size_t{3} * (std::size_t(y) * result.width + x)]);
    }
  }
  return result;
}

}  // namespace sdgen
