// The text in a PNG's chunks (PNG specification, 11.3.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "image/picture_notes.h"
#include "sdgen/image.h"

namespace sdgen {

// All text of a picture unpacked, in bytes; prompts are a thousand times shorter.
constexpr std::uint64_t kMaxPngText = std::uint64_t{16} << 20;

constexpr bool is_text_chunk(std::string_view type) {
  return type == "tEXt" || type == "zTXt" || type == "iTXt";
}

// The keyword of a text chunk, in UTF-8; empty where there is none.
std::string text_keyword(std::string_view data);

enum class TextChunk { kRead, kDamaged, kTooLong };

// Appends the (keyword, text) of a text chunk, unpacked where it is packed, and takes its bytes off `budget`.
// kTooLong past the budget; nothing is appended then, nor for what is damaged.
TextChunk append_png_text(std::string_view type, std::string_view data, std::uint64_t& budget, PngText& text);

// What stands in the chunks eXIf, "Raw profile type exif" and "XML:com.adobe.xmp".
PictureNotes png_notes(const std::vector<std::uint8_t>& bytes);

}  // namespace sdgen
