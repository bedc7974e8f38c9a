// Tensors -> 8-bit pictures.
#pragma once

#include <vector>

#include "base/tensor.h"
#include "sdgen/image.h"

namespace sdgen {

// pixels [N, 3, H, W], -1 to 1 -> N pictures, rounded as diffusers' VaeImageProcessor does: x/2 + 0.5 clamped
// to 0..1, times 255 to the nearest, halves to even.
std::vector<Image> images_from_pixels(const Tensor& pixels);

}  // namespace sdgen
