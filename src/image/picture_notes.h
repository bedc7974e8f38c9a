// What a picture file says beside its pixels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sdgen {

struct PictureNotes {
  std::optional<int> orientation{};  // 1 to 8, where the format says it outside of EXIF (AVIF)
  std::vector<std::uint8_t> exif{};  // perhaps behind "Exif" and two zeros
  std::vector<std::uint8_t> xmp{};
  std::string comment{};  // of a JPEG or a GIF, in whatever encoding
};

}  // namespace sdgen
