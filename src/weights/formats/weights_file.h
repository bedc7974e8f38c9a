// One file of tensors, whatever its format.
#pragma once

#include <filesystem>
#include <memory>

#include "weights/tensor_source.h"

namespace sdgen {

// Opens a safetensors file or a PyTorch pickle (.ckpt, .pt, .pth, .bin; executing nothing), told apart by
// their first bytes; weights that are stored with a scale are the numbers that they stand for
// (scaled_source.h). Throws Error(kInput) naming the file: missing, empty, damaged, neither of these; a web
// page, a Git LFS pointer, an archive or a picture is called so.
std::shared_ptr<const TensorSource> open_weights_file(const std::filesystem::path& path);

// The same, tensors as they are stored: one of several files, whose scales may lie in another.
std::shared_ptr<const TensorSource> open_stored_file(const std::filesystem::path& path);

}  // namespace sdgen
