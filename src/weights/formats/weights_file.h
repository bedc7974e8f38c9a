// One file of tensors, whatever its format.
#pragma once

#include <filesystem>
#include <memory>

#include "weights/tensor_source.h"

namespace sdgen {

// Opens a safetensors file or a PyTorch pickle (.ckpt, .pt, .pth, .bin; executing nothing), told apart by
// their first bytes. Throws Error(kInput) naming the file: missing, empty, damaged, neither of these.
std::shared_ptr<const TensorSource> open_weights_file(const std::filesystem::path& path);

}  // namespace sdgen
