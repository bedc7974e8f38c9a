// Text in pictures: one sans-serif font, which is part of the program, for Latin, Cyrillic, Greek and more.
//
// Text is UTF-8 and stands in one line. Ill-formed bytes are drawn as U+FFFD, control characters as spaces,
// characters that the font lacks as its box. `height_px` is that of a line, from the tallest letters to the
// deepest; the em is six sevenths of it. Every function throws Error(kWorking) if the embedded font is
// damaged.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "image/canvas.h"

namespace sdgen {

// Pixels from the start of the first character to the end of the last; 0 if height_px is not positive.
int text_width(std::string_view utf8, int height_px);

// Draws text whose line has its top-left corner at (x, y), smoothed at its edges and cut off at the
// picture's. The highest and the deepest strokes may pass the line by a pixel.
void draw_text(Image& image, int x, int y, std::string_view utf8, int height_px, Color color);

// The text if it is at most width_px wide, else as many of its first characters as leave room for an
// ellipsis; nothing if even that is too wide.
std::string fitted_text(std::string_view utf8, int height_px, int width_px);

// The words of the text in lines of at most width_px; a word that is wider than that is broken. At most
// `most_lines` of them (0: any number), the last with an ellipsis if more would follow. None for no words.
std::vector<std::string> wrapped_text(std::string_view utf8, int height_px, int width_px,
                                      std::size_t most_lines);

}  // namespace sdgen
