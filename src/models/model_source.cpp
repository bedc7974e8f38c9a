#include "models/model_source.h"

#include <algorithm>

#include "base/input_file.h"
#include "models/model_part.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/vocabularies.h"
#include "weights/model_files.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// The component's folder, which model_index.json promises.
fs::path component_folder(const fs::path& model, const std::string& component) {
  if (!is_folder(model / component))
    fail_input((model / component).string(), ": no such folder, but model_index.json names it");
  return model / component;
}

ModelSource open_folder(const fs::path& path) {
  ModelSource::Opener opener;
  opener.config = [path](const std::string& component) {
    const std::string file = component == "scheduler" ? "scheduler_config.json" : "config.json";
    return Config::read(component_folder(path, component) / file);
  };
  opener.tensors = [path](const std::string& component) {
    return folder_weights(path / component, component);
  };
  opener.tokenizer = [path](const std::string& component, const Config&, const std::vector<NewWord>& words) {
    return open_tokenizer(path / component, words);
  };
  opener.tokenizer_folder = [path](const std::string& component) {
    return component_folder(path, component);
  };
  return {path, Config::read(path / "model_index.json"), opener};
}

// Throws unless what the checkpoint lacks is given by `parts`.
void require_complete(const Checkpoint& checkpoint, const std::map<std::string, fs::path>& parts) {
  std::vector<std::string> missing = checkpoint.missing;
  std::erase_if(missing, [&](const std::string& component) { return parts.contains(component); });
  Checkpoint rest;
  rest.file = checkpoint.file;
  rest.pipeline_class = checkpoint.pipeline_class;
  rest.components = checkpoint.components;
  rest.missing = missing;
  require_whole(rest);
}

ModelSource open_single_file(const fs::path& path, Ema ema, const std::map<std::string, fs::path>& parts) {
  const auto checkpoint = std::make_shared<const Checkpoint>(open_checkpoint(path, ema));
  require_complete(*checkpoint, parts);
  ModelSource::Opener opener;
  opener.config = [path, checkpoint](const std::string& component) {
    if (const auto found = checkpoint->configs.find(component); found != checkpoint->configs.end())
      return Config{path, found->second};
    if (component == "vae") return Config{path, checkpoint->latents};
    fail_input(path.string(), ": holds no ", component);
  };
  opener.tensors = [checkpoint](const std::string& component) {
    return checkpoint_weights(*checkpoint, component);
  };
  opener.tokenizer = [](const std::string&, const Config& text_encoder,
                        const std::vector<NewWord>& words) -> std::unique_ptr<Tokenizer> {
    return BpeTokenizer::open(find_clip_vocabulary(), words, clip_pad_token(text_encoder.json));
  };
  opener.tokenizer_folder = [](const std::string&) { return find_qwen_tokenizer(); };
  return {path, opener.config("model_index"), opener};
}

}  // namespace

const Config& ModelSource::config(const std::string& component) const {
  const auto known = configs_.find(component);
  return known != configs_.end() ? known->second
                                 : configs_.emplace(component, opener_.config(component)).first->second;
}

const std::shared_ptr<const TensorSource>& ModelSource::weights(const std::string& component) const {
  const auto known = tensors_.find(component);
  return known != tensors_.end() ? known->second
                                 : tensors_.emplace(component, opener_.tensors(component)).first->second;
}

void ModelSource::replace(const std::string& component, ComponentSource by) {
  configs_[component] = std::move(by.config);
  tensors_[component] = std::move(by.tensors);
}

void ModelSource::replace_config(const std::string& component, Config by) {
  configs_[component] = std::move(by);
}

void ModelSource::replace_scheduler(Config by) {
  if (by.has("_class_name")) index_.json["scheduler"] = {"diffusers", by.json.at("_class_name")};
  configs_["scheduler"] = std::move(by);
}

void ModelSource::replace_tokenizer_folder(fs::path by) {
  opener_.tokenizer_folder = [by = std::move(by)](const std::string&) { return by; };
}

void ModelSource::replace_weights(const std::string& component, std::shared_ptr<const TensorSource> by) {
  tensors_[component] = std::move(by);
}

ModelSource open_model_source(const ModelFiles& files) {
  const fs::path& path = files.model;
  if (!is_there(path)) fail_input(path.string(), ": no such model folder or file");
  const Ema ema = files.ema ? Ema::kYes : Ema::kNo;
  if (files.ema && is_folder(path))
    fail_input(path.string(), ": a folder has no EMA weights beside the others; leave --ema out");
  ModelSource source = is_folder(path) ? open_folder(path) : open_single_file(path, ema, files.parts);
  for (const auto& [component, part] : files.parts) replace_part(source, component, part);
  return source;
}

std::string clip_pad_token(const Json& text_encoder) {
  // OpenAI's CLIP pads with its end, OpenCLIP, whose activation is another, with token 0.
  return text_encoder.value("hidden_act", "quick_gelu") == "quick_gelu" ? "<|endoftext|>" : "!";
}

}  // namespace sdgen
