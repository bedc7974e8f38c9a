// Tensors -> a safetensors file. Reference: the format description of huggingface/safetensors.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/tensor.h"

namespace sdgen {

// The file's bytes, tensors in the order given; all float32. Metadata are plain texts.
std::vector<std::uint8_t> encode_safetensors(
    const std::vector<std::pair<std::string, Tensor>>& tensors,
    const std::vector<std::pair<std::string, std::string>>& metadata = {});

}  // namespace sdgen
