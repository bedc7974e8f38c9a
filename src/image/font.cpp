#include "image/font.h"

#include <stb_truetype.h>
#include <utf8proc.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/embedded.h"
#include "plain/errors.h"

namespace sdgen {

namespace {

constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
constexpr utf8proc_int32_t kReplacement = 0xFFFD;
constexpr std::string_view kBlanks = " \t\n\r\v\f";

struct Font {
  stbtt_fontinfo outlines{};
  int ascent = 0, descent = 0, x_height = 0;  // font units from the baseline up; descent is negative
};

const Font& font() {
  static const Font loaded = [] {
    Font font;
    const auto* data = reinterpret_cast<const unsigned char*>(embedded_font().data());
    const int offset = stbtt_GetFontOffsetForIndex(data, 0);
    if (offset < 0 || stbtt_InitFont(&font.outlines, data, offset) == 0)
      fail_working("the font of this program is damaged; build it again");
    int gap = 0, left = 0, bottom = 0, right = 0;
    stbtt_GetFontVMetrics(&font.outlines, &font.ascent, &font.descent, &gap);
    stbtt_GetCodepointBox(&font.outlines, 'x', &left, &bottom, &right, &font.x_height);
    return font;
  }();
  return loaded;
}

struct Character {
  utf8proc_int32_t code = kReplacement;
  std::size_t bytes = 1;
};

// Of a text that is not empty.
Character first_character(std::string_view text) {
  utf8proc_int32_t code = 0;
  const auto bytes = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                      static_cast<utf8proc_ssize_t>(text.size()), &code);
  if (bytes <= 0) return {};
  return {code < ' ' || code == 0x7F ? ' ' : code, static_cast<std::size_t>(bytes)};
}

int glyph_of(utf8proc_int32_t code) {
  return stbtt_FindGlyphIndex(&font().outlines, code);
}

// Font units.
std::int64_t advance_of(int glyph) {
  int advance = 0, bearing = 0;
  stbtt_GetGlyphHMetrics(&font().outlines, glyph, &advance, &bearing);
  return advance;
}

double pixels_per_unit(int height_px) {
  return static_cast<double>(height_px) / (font().ascent - font().descent);
}

int width_of(std::int64_t units, int height_px) {
  return static_cast<int>(std::ceil(static_cast<double>(units) * pixels_per_unit(height_px) - 1e-6));
}

// Bytes of the longest start of the text, cut between what readers take for characters, that is not too wide.
std::size_t fitting_bytes(std::string_view text, int height_px, int width_px) {
  std::int64_t units = 0;
  std::size_t border = 0;
  utf8proc_int32_t before = 0, state = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = first_character(text.substr(at));
    if (at == 0 || utf8proc_grapheme_break_stateful(before, character.code, &state)) border = at;
    units += advance_of(glyph_of(character.code));
    if (width_of(units, height_px) > width_px) return border;
    before = character.code;
    at += character.bytes;
  }
  return text.size();
}

void blend(std::uint8_t& channel, int color, int coverage) {
  channel = static_cast<std::uint8_t>((channel * (255 - coverage) + color * coverage + 127) / 255);
}

// Mixes `color` into the pixels below a mask of coverages whose corner is at (x, y).
void blend_mask(Image& image, const std::vector<std::uint8_t>& mask, int width, int height, int x, int y,
                Color color) {
  for (int row = std::max(0, -y); row < std::min(height, image.height - y); ++row)
    for (int column = std::max(0, -x); column < std::min(width, image.width - x); ++column) {
      const int coverage = mask[static_cast<std::size_t>(row) * static_cast<std::size_t>(width) +
                                static_cast<std::size_t>(column)];
      auto* const pixel =
          &image.rgb[3 * (static_cast<std::size_t>(y + row) * static_cast<std::size_t>(image.width) +
                          static_cast<std::size_t>(x + column))];
      blend(pixel[0], color.r, coverage);
      blend(pixel[1], color.g, coverage);
      blend(pixel[2], color.b, coverage);
    }
}

// Cuts the next word, or as much of it as fits into a line, off `rest`, which begins with it.
std::string_view take_word(std::string_view& rest, int height_px, int width_px) {
  std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
  if (const auto fitting = fitting_bytes(word, height_px, width_px); fitting < word.size())
    word = word.substr(0, std::max(fitting, first_character(word).bytes));
  rest.remove_prefix(word.size());
  return word;
}

void skip_blanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
}

}  // namespace

int text_width(std::string_view utf8, int height_px) {
  if (height_px <= 0) return 0;
  std::int64_t units = 0;
  while (!utf8.empty()) {
    const Character character = first_character(utf8);
    units += advance_of(glyph_of(character.code));
    utf8.remove_prefix(character.bytes);
  }
  return width_of(units, height_px);
}

void draw_text(Image& image, int x, int y, std::string_view utf8, int height_px, Color color) {
  if (height_px <= 0) return;
  const double scale = pixels_per_unit(height_px);
  // Small letters a whole number of pixels high have sharp upper edges.
  const double x_height = font().x_height * scale;
  const auto scale_x = static_cast<float>(scale);
  const auto scale_y = static_cast<float>(x_height < 1 ? scale : scale * std::round(x_height) / x_height);
  const int baseline = y + static_cast<int>(std::lround(font().ascent * scale));
  std::int64_t units = 0;
  std::vector<std::uint8_t> mask;
  while (!utf8.empty()) {
    const Character character = first_character(utf8);
    utf8.remove_prefix(character.bytes);
    const int glyph = glyph_of(character.code);
    const double pen = static_cast<double>(units) * scale;
    const auto shift = static_cast<float>(pen - std::floor(pen));
    units += advance_of(glyph);
    int left = 0, top = 0, right = 0, bottom = 0;
    stbtt_GetGlyphBitmapBoxSubpixel(&font().outlines, glyph, scale_x, scale_y, shift, 0, &left, &top, &right,
                                    &bottom);
    const int width = right - left, height = bottom - top;
    if (width <= 0 || height <= 0) continue;
    mask.assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 0);
    stbtt_MakeGlyphBitmapSubpixel(&font().outlines, mask.data(), width, height, width, scale_x, scale_y,
                                  shift, 0, glyph);
    blend_mask(image, mask, width, height, x + static_cast<int>(std::floor(pen)) + left, baseline + top,
               color);
  }
}

std::string fitted_text(std::string_view utf8, int height_px, int width_px) {
  if (text_width(utf8, height_px) <= width_px) return std::string(utf8);
  const int room = width_px - text_width(kEllipsis, height_px);
  if (room < 0) return {};
  const auto start = utf8.substr(0, fitting_bytes(utf8, height_px, room));
  return std::string(start.substr(0, start.find_last_not_of(kBlanks) + 1)).append(kEllipsis);
}

std::vector<std::string> wrapped_text(std::string_view utf8, int height_px, int width_px,
                                      std::size_t most_lines) {
  std::vector<std::string> lines;
  skip_blanks(utf8);
  while (!utf8.empty()) {
    if (lines.size() + 1 == most_lines) {
      lines.push_back(fitted_text(utf8.substr(0, utf8.find_last_not_of(kBlanks) + 1), height_px, width_px));
      return lines;
    }
    std::string line;
    for (std::string_view rest = utf8; !rest.empty(); skip_blanks(rest), utf8 = rest) {
      const auto word = take_word(rest, height_px, width_px);
      std::string longer = line.empty() ? std::string(word) : (line + ' ').append(word);
      if (!line.empty() && text_width(longer, height_px) > width_px) break;
      line = std::move(longer);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace sdgen
