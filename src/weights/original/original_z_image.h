// Z-Image's transformer under the names of its own code, which ComfyUI's files have too, and what shapes tell
// of it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/json_file.h"
#include "weights/edited_source.h"
#include "weights/tensor_source.h"

namespace sdgen {

// diffusers' tensors by name, each from what a single file stores; nothing: the file holds no Z-Image.
std::optional<std::map<std::string, EditedTensor>> z_image_tensors(const TensorSource& source);

// The config.json that ZImageTransformer2DModel would write for these tensors, which have diffusers' names.
// Of the widths of the three axes of its positions only the sum is told: they are taken to be as those of the
// published model, 32 : 48 : 48. Throws Error(kInput) naming file and key.
Json z_image_config(const TensorSource& transformer);

}  // namespace sdgen
