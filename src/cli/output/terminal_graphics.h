// Pictures in the terminal itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sdgen/image.h"

namespace sdgen::cli {

enum class TerminalGraphics {
  kNone,
  kKitty,  // kitty's graphics protocol, a PNG
  kIterm,  // iTerm2's inline images, a PNG
  kSixel,  // DEC's sixels, 252 colours
};

// How the terminal shows pictures, told from environment variables alone: environment("TERM") and so on, null
// where unset. Terminals that cannot are kNone, as is whatever runs in tmux or screen, which pass no pictures
// on.
TerminalGraphics terminal_graphics(const std::function<const char*(const char*)>& environment);

// The escape sequence that shows the picture at the cursor, a pixel for a pixel, and a line feed; empty for
// kNone. Throws Error(kWorking) if the picture is empty or its size does not match its bytes.
std::string terminal_picture(TerminalGraphics kind, const Image& image);

}  // namespace sdgen::cli
