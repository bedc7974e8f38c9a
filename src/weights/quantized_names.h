// The names by which quantised weights are told: what is read (scaled_source.h) and what is refused.
#pragma once

#include <string>

#include "weights/tensor_source.h"

namespace sdgen {

// Of ComfyUI: the format of each layer.
inline const std::string kQuantizedMetadata = "_quantization_metadata";

// Whether a tensor only tells how weights are stored or inputs are to be rounded: markers, scales of inputs.
bool is_quantized_remark(const TensorSource& source, const std::string& key);

// Throws Error(kInput): "FILE: tensor 'NAME': weights stored as WHAT are not read; REMEDY".
[[noreturn]] void fail_quantized(const TensorInfo& info, const std::string& what);

// Throws that error for layouts that more than a product makes numbers of (GPTQ, AWQ, NVFP4, 4 bits, rotated
// weights, ...), told by their names, markers and metadata.
void refuse_other_quantized(const TensorSource& source);

// Throws it for weights of whole numbers, and for those of eight bits with an unknown scale beside them.
void refuse_bare_codes(const TensorSource& source);

}  // namespace sdgen
