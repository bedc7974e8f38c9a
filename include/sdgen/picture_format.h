// The formats in which pictures are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sdgen {

enum class PictureFormat { kPng, kJpeg, kWebp };

// By the ending of a file's name, in any case: .png, .jpg or .jpeg, .webp. Nothing for other endings, and for
// a name that is nothing but an ending.
std::optional<PictureFormat> picture_format(std::string_view name);

// "x.png" -> ".png", as it is spelled; empty where picture_format() knows none.
std::string_view picture_ending(std::string_view name);

// Why a picture of this size, with so many bytes of EXIF, cannot be written in `format`; empty if it can.
std::string format_limit(PictureFormat format, int width, int height, std::size_t exif_bytes);

}  // namespace sdgen
