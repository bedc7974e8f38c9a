// Weights that are stored as codes with a scale beside them, read as the numbers that they stand for.
#pragma once

#include <memory>

#include "weights/tensor_source.h"

namespace sdgen {

// `source` with each weight that has a scale multiplied by it, in float32: NAME.weight by NAME.scale_weight
// or NAME.weight_scale (ComfyUI's and others' fp8 and int8; a number for the tensor, for each row, or for
// each block), by NAME.SCB / 127 (bitsandbytes' 8 bits), NAME.weight._data by NAME.weight._scale
// (optimum-quanto). Scales, scales of inputs and markers are no tensors any more. Where there are none,
// `source` itself. Throws Error(kInput) naming file, tensor and remedy for weights that are stored in another
// such way: their codes must not pass for numbers.
std::shared_ptr<const TensorSource> read_scaled(std::shared_ptr<const TensorSource> source);

}  // namespace sdgen
