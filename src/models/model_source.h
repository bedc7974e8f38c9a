// Where a model's configs, tokenizers and weights come from, whatever kind of file that is.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/json_file.h"
#include "models/checkpoint.h"
#include "sdgen/model_files.h"
#include "text/tokenizers/tokenizer.h"
#include "weights/tensor_source.h"

namespace sdgen {

// A component of a model: what its config says, and its tensors under our names.
struct ComponentSource {
  Config config;
  std::shared_ptr<const TensorSource> tensors;
};

// A model's components by name ("unet", "vae", "text_encoder", ...). Each file is opened when it is first
// asked for, and once.
class ModelSource {
 public:
  // How a kind of model finds what is not opened yet. Both throw Error(kInput) naming the file.
  struct Opener {
    std::function<Config(const std::string& component)> config;
    std::function<std::shared_ptr<const TensorSource>(const std::string& component)> tensors;
    // `text_encoder`: the config of the encoder that it belongs to.
    std::function<std::unique_ptr<Tokenizer>(const std::string& component, const Config& text_encoder,
                                             const std::vector<NewWord>& words)>
        tokenizer;
    // Where the files of a tokenizer are that is not CLIP's.
    std::function<std::filesystem::path(const std::string& component)> tokenizer_folder;
  };
  ModelSource() = default;
  // `index`: model_index.json, or what it would be.
  ModelSource(std::filesystem::path path, Config index, Opener opener)
      : path_(std::move(path)), index_(std::move(index)), opener_(std::move(opener)) {}

  const std::filesystem::path& path() const { return path_; }
  const Config& index() const { return index_; }
  const Config& config(const std::string& component) const;  // "scheduler" is one, too
  const std::shared_ptr<const TensorSource>& weights(const std::string& component) const;
  // Of a text encoder's component, with new words.
  std::unique_ptr<Tokenizer> tokenizer(const std::string& component, const std::string& text_encoder,
                                       const std::vector<NewWord>& words) const {
    return opener_.tokenizer(component, config(text_encoder), words);
  }
  std::filesystem::path tokenizer_folder(const std::string& component) const {
    return opener_.tokenizer_folder(component);
  }

  // Puts another in a component's place, or its config or tensors (an adapter's) alone.
  void replace(const std::string& component, ComponentSource by);
  void replace_config(const std::string& component, Config by);
  void replace_scheduler(Config by);  // of another class, too
  void replace_tokenizer_folder(std::filesystem::path by);
  void replace_weights(const std::string& component, std::shared_ptr<const TensorSource> by);

 private:
  std::filesystem::path path_;
  Config index_;
  Opener opener_;
  // What has been opened.
  mutable std::map<std::string, Config> configs_;
  mutable std::map<std::string, std::shared_ptr<const TensorSource>> tensors_;
};

// A diffusers folder or a single file (checkpoint.h), with the parts that `files` replaces. A single file may
// lack what is replaced. Throws Error(kInput) naming the file and what is missing.
ModelSource open_model_source(const ModelFiles& files);

// What the tokenizer of a single file's CLIP pads with; `text_encoder`: its config.
std::string clip_pad_token(const Json& text_encoder);

}  // namespace sdgen
