// EXIF: a small TIFF file that pictures carry, with the way up and a comment.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sdgen {

// 1 (upright) to 8 (EXIF's tag 0x0112), or 1 for a value that means nothing; nothing where it is not told.
// `exif` may begin with "Exif" and two zeros.
std::optional<int> exif_orientation(std::span<const std::uint8_t> exif);

// The same of XMP, which says `tiff:Orientation="6"`.
std::optional<int> xmp_orientation(std::span<const std::uint8_t> xmp);

// The UserComment as UTF-8, whatever it is encoded in; empty where there is none.
std::string exif_user_comment(std::span<const std::uint8_t> exif);

// A block, from "Exif" and two zeros on, that holds nothing but `text` as UserComment in UTF-16: what
// AUTOMATIC1111 writes and other programs read.
std::vector<std::uint8_t> exif_with_comment(const std::string& text);

}  // namespace sdgen
