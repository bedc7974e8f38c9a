// Moving pictures: animated PNG (PNG specification, third edition, 11.3.6).
#pragma once

#include <cstdint>
#include <vector>

#include "sdgen/image.h"

namespace sdgen {

// An animated PNG in memory that shows each frame for frame_ms milliseconds and the last for last_frame_ms, 0
// to 65535, for ever from the start again. Programs that know only plain PNG show the first frame. `text`
// stands in it as encode_png puts it. Throws Error(kWorking) if there is no frame, one is empty or has a
// wrong number of bytes, their sizes differ, or a time is out of range.
std::vector<std::uint8_t> encode_animation(const std::vector<Image>& frames, int frame_ms, int last_frame_ms,
                                           const PngText& text = {});

}  // namespace sdgen
