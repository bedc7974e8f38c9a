// Where a model's configs, tokenizers and weights come from, whatever kind of file that is.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/json_file.h"
#include "weights/tensor_source.h"

namespace sdgen {

struct ModelSource {
  std::filesystem::path path;
  Config index;  // model_index.json, or what it would be
  // By component name ("unet", "vae", "scheduler", "text_encoder", ...). Throw Error(kInput) naming the file.
  std::function<Config(const std::string& component)> config;
  std::function<std::shared_ptr<const TensorSource>(const std::string& component)> weights;
  std::function<std::filesystem::path(const std::string& component)> tokenizer;  // a tokenizer's folder
};

// A diffusers folder. Throws Error(kInput) if it is missing or has no model_index.json.
ModelSource open_model_folder(const std::filesystem::path& path);

}  // namespace sdgen
