// safetensors files: 8 bytes of header length, a JSON header, then raw little-endian tensors.
// Reference: the format description of huggingface/safetensors.
#pragma once

#include <filesystem>
#include <memory>

#include "weights/tensor_source.h"

namespace sdgen {

// Maps `path` into memory and checks its whole header: lengths, dtypes, shapes, that tensors neither overlap
// nor leave holes nor reach past the end. Tensors are read as views of the mapping. Throws Error(kInput)
// naming the file and, where there is one, the key.
std::shared_ptr<const TensorSource> open_safetensors(const std::filesystem::path& path);

// The shards that `index_path` (*.safetensors.index.json, or *.bin.index.json) names, which must lie beside
// it. Throws Error(kInput) if a shard is missing, damaged or lacks a tensor that the index promises.
std::shared_ptr<const TensorSource> open_safetensors_shards(const std::filesystem::path& index_path);

}  // namespace sdgen
