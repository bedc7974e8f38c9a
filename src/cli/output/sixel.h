// Pictures as DEC sixels.
#pragma once

#include <string>

#include "sdgen/image.h"

namespace sdgen::cli {

// The picture from DCS to ST, a pixel for a pixel, dithered to a palette of 6x7x6 colours. Throws
// Error(kWorking) if the picture is empty or its size does not match its bytes.
std::string sixels(const Image& image);

}  // namespace sdgen::cli
