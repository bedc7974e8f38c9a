// Tensors -> 8-bit pictures.
#pragma once

#include <vector>

#include "base/tensor.h"
#include "sdgen/image.h"

namespace sdgen {

// pixels [N, 3, H, W], -1 to 1 -> N pictures, rounded as diffusers' VaeImageProcessor does: x/2 + 0.5 clamped
// to 0..1, times 255 to the nearest, halves to even.
std::vector<Image> images_from_pixels(const Tensor& pixels);

// The way back: [1, 3, H, W], -1 to 1, as VaeImageProcessor's preprocess().
Tensor pixels_from_image(const Image& image);

// [1, 3, H, W], 0 to 1, as without its normalisation.
Tensor unit_pixels_from_image(const Image& image);

// [1, 1, H, W]: 1 where the picture is light (half of white or more, by luma), 0 elsewhere.
Tensor mask_from_image(const Image& image);

}  // namespace sdgen
