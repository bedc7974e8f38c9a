#include "image/avif_read.h"

#include <algorithm>
#include <string_view>

#include "base/side_library.h"
#include "image/avif_library/avif_library.h"
#include "image/exif.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

AvifPicture read(const std::vector<std::uint8_t>& bytes, bool with_pixels) {
  auto* const read_avif = reinterpret_cast<ReadAvif*>(side_library(
      SDGEN_AVIF, kReadAvif, "AVIF pictures need it: build or install sd-gen and libavif again"));
  AvifPicture picture;
  read_avif(bytes, with_pixels, picture);
  return picture;
}

}  // namespace

Image decode_avif(const std::vector<std::uint8_t>& bytes, const std::string& file, bool with_pixels) {
  AvifPicture picture = read(bytes, with_pixels);
  if (!picture.error.empty()) fail_input(file, ": damaged AVIF: ", picture.error);
  return std::move(picture.image);
}

PictureNotes avif_notes(const std::vector<std::uint8_t>& bytes) {
  PictureNotes notes = read(bytes, /*with_pixels=*/false).notes;
  // Upright may come from EXIF, which must not turn the picture, or not be told at all.
  if (notes.orientation == 1 && !exif_orientation(notes.exif)) notes.orientation.reset();
  return notes;
}

bool is_avif(const std::vector<std::uint8_t>& bytes) {
  if (bytes.size() < 12) return false;
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), 12);
  constexpr std::string_view kBrands[] = {"avif", "avis", "mif1", "msf1"};
  return head.substr(4, 4) == "ftyp" &&
         std::find(std::begin(kBrands), std::end(kBrands), head.substr(8)) != std::end(kBrands);
}

}  // namespace sdgen
