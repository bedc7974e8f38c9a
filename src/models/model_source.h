// Where a model's configs, tokenizers and weights come from, whatever kind of file that is.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/json_file.h"
#include "sdgen/model_files.h"
#include "text/tokenizers/tokenizer.h"
#include "weights/original/checkpoint.h"
#include "weights/tensor_source.h"

namespace sdgen {

struct ModelSource {
  std::filesystem::path path;
  Config index;  // model_index.json, or what it would be
  // By component name ("unet", "vae", "scheduler", "text_encoder", ...). Throw Error(kInput) naming the file.
  std::function<Config(const std::string& component)> config;
  std::function<std::shared_ptr<const TensorSource>(const std::string& component)> weights;
  std::function<std::unique_ptr<Tokenizer>(const std::string& component, const std::vector<NewWord>& words)>
      tokenizer;
};

// A diffusers folder or a single file (weights/checkpoint.h), with the parts that `files` replaces. Throws
// Error(kInput) if something is missing, damaged, or not what it is named for.
ModelSource open_model_source(const ModelFiles& files);

// What CLIP's tokenizer pads with in a checkpoint's place of that name ("tokenizer", "tokenizer_2").
std::string clip_pad_token(const Checkpoint& checkpoint, const std::string& tokenizer);

}  // namespace sdgen
