// PNGs of one channel.
#pragma once

#include <cstdint>
#include <vector>

namespace sdgen {

// 8-bit grey, rows from the top, grey.size() == width * height. Throws Error(kWorking) as encode_png does.
std::vector<std::uint8_t> encode_grey_png(int width, int height, const std::vector<std::uint8_t>& grey);

}  // namespace sdgen
