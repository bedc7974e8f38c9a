// Whether a PNG holds as many pixels as it says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sdgen {

// Unpacks the picture's data once without keeping it. Throws Error(kInput) naming `file` where it is more
// than its header asks for: a decoder that unpacks all there is would need a thousand times the file's size.
// Anything else that is wrong is left to the decoder.
void check_png_data(const std::vector<std::uint8_t>& bytes, const std::string& file);

}  // namespace sdgen
