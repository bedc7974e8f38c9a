// Heat: how strongly each place of a picture counts, in colours.
#pragma once

#include <vector>

#include "image/canvas.h"

namespace sdgen {

// A coarse map of values, 0 or more, over a picture: rows from the top, values.size() == width * height.
struct HeatMap {
  int width = 0;   // values a row
  int height = 0;  // rows
  std::vector<float> values;
};

// The colour of a value from 0 to 1: near-black, violet, red, orange, pale yellow, their lightness rising
// evenly (CIE L*, 3 to 95). Values outside are clamped; not-a-number is 0.
Color heat_color(double value);

// The map over the picture: grey and dim where it is cold, glowing in heat_color(value / highest) where it is
// hot. The map is stretched to the picture bilinearly, between the centres of its values. highest, the value
// of the brightest colour, may be 0 for a map of zeros. Throws Error(kWorking) if either is empty or has a
// wrong size.
Image heat_overlay(const Image& picture, const HeatMap& map, double highest);

// The colours alone, width x height pixels, stretched and scaled as above. Throws Error(kWorking) as above.
Image heat_picture(const HeatMap& map, int width, int height, double highest);

}  // namespace sdgen
