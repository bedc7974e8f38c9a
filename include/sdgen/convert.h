// Models in other forms: a diffusers folder as one file with the original names and back, other dtypes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "sdgen/compute_options.h"

namespace sdgen {

struct ConvertOptions {
  DType dtype = DType::kAuto;  // kAuto: as stored
  bool overwrite = false;
  bool ema = false;  // of a training checkpoint: the running mean of the UNet's weights
  // Of a checkpoint that becomes a folder: components from elsewhere, as ModelFiles::parts.
  std::map<std::string, std::filesystem::path> parts{};
};

struct Converted {
  std::filesystem::path path;
  std::uint64_t bytes = 0;  // of weights written
};

// Converts `from` to `to`:
//   a folder with model_index.json -> a .safetensors file under the original names, or a folder;
//   a checkpoint file (.safetensors, .ckpt) -> a folder in diffusers' layout;
//   any file of tensors -> a .safetensors file with the same names.
// One tensor is in memory at a time. `to` appears whole or not at all. Throws Error(kRequest) if `to` is
// there already, or its name does not fit what is asked for; Error(kInput) naming file and key for an input
// that is damaged, or that one file could not tell apart from another model; Error(kWorking) if the disk
// fails.
Converted convert_model(const std::filesystem::path& from, const std::filesystem::path& to,
                        const ConvertOptions& options);

}  // namespace sdgen
