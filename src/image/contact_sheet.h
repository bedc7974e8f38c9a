// What is put together around contact sheets.
#pragma once

#include <vector>

#include "image/canvas.h"
#include "sdgen/contact_sheet.h"

namespace sdgen {

constexpr Color kSheetColor{245, 245, 243};  // the ground of a sheet

// The pictures one below the other, each in the middle of a column as wide as the widest. Throws
// Error(kWorking) if there are none, one is empty or has a wrong number of bytes, or the result would be too
// large.
Image stacked(const std::vector<Image>& images, Color background);

}  // namespace sdgen
