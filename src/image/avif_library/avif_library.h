// The library that holds libavif, which brings two dozen others with it: loading them takes longer than all
// else that starts, and is left until a picture asks for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/picture_notes.h"
#include "sdgen/image.h"

namespace sdgen {

struct AvifPicture {
  Image image{};
  PictureNotes notes{};
  std::string error{};  // empty if all went well
};

// C++ types under a C name: both sides are one build.
using ReadAvif = void(const std::vector<std::uint8_t>& bytes, bool with_pixels, AvifPicture& picture);
constexpr char kReadAvif[] = "sdgen_read_avif";

}  // namespace sdgen
