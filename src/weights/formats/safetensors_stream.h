// A safetensors file written one tensor at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "weights/tensor_source.h"

namespace sdgen {

// Writes all of `source` to `path`, by name, holding one tensor in memory at a time; with `dtype`
// floating-point numbers become that. The file appears whole or not at all; with overwrite it takes the place
// of another. Returns its bytes. Throws Error(kRequest) if `path` is there and may not be overwritten,
// Error(kInput) for a number that is not finite in `dtype`, Error(kWorking) if it cannot be written.
std::uint64_t write_safetensors(const std::filesystem::path& path, const TensorSource& source,
                                std::optional<at::ScalarType> dtype, const Metadata& metadata,
                                bool overwrite);

}  // namespace sdgen
