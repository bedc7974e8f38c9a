#include "models/model_source.h"

#include "base/input_file.h"
#include "text/tokenizers/bpe_tokenizer.h"
#include "text/tokenizers/clip_vocabulary.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"
#include "weights/original/tiny_vae.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// A component's weights in a folder of its own, under our names.
std::shared_ptr<const TensorSource> component_weights(const fs::path& folder, const std::string& component) {
  const bool is_text = component.starts_with("text_encoder");
  const auto files = open_model_files(folder, is_text ? "model" : "diffusion_pytorch_model");
  if (is_text) return rename_keys(files, current_clip_name);
  return component == "vae" ? rename_keys(files, current_vae_name) : files;
}

// The component's folder, which model_index.json promises.
fs::path component_folder(const fs::path& model, const std::string& component) {
  if (!is_folder(model / component))
    fail_input((model / component).string(), ": no such folder, but model_index.json names it");
  return model / component;
}

ModelSource open_folder(const fs::path& path) {
  ModelSource source;
  source.path = path;
  source.index = Config::read(path / "model_index.json");
  source.config = [path](const std::string& component) {
    const std::string file = component == "scheduler" ? "scheduler_config.json" : "config.json";
    return Config::read(component_folder(path, component) / file);
  };
  source.weights = [path](const std::string& component) {
    return component_weights(path / component, component);
  };
  source.tokenizer = [path](const std::string& component, const std::vector<NewWord>& words) {
    return open_tokenizer(path / component, words);
  };
  return source;
}

// A component of a checkpoint under our names.
std::shared_ptr<const TensorSource> checkpoint_weights(const Checkpoint& checkpoint,
                                                       const std::string& component) {
  const auto& weights = checkpoint.components.at(component);
  return component.starts_with("text_encoder") ? rename_keys(weights, current_clip_name) : weights;
}

ModelSource open_single_file(const fs::path& path, Ema ema) {
  const auto checkpoint = std::make_shared<const Checkpoint>(open_checkpoint(path, ema));
  require_whole(*checkpoint);
  ModelSource source;
  source.path = path;
  source.config = [path, checkpoint](const std::string& component) {
    return Config{path, checkpoint->configs.at(component)};
  };
  source.index = source.config("model_index");
  source.weights = [checkpoint](const std::string& component) {
    return checkpoint_weights(*checkpoint, component);
  };
  source.tokenizer = [checkpoint](const std::string& component,
                                  const std::vector<NewWord>& words) -> std::unique_ptr<Tokenizer> {
    return BpeTokenizer::open(find_clip_vocabulary(), words, clip_pad_token(*checkpoint, component));
  };
  return source;
}

// One component from elsewhere.
struct Part {
  Config config;
  std::function<std::shared_ptr<const TensorSource>()> weights;
};

Part open_part(const fs::path& path, const std::string& component, Ema ema) {
  if (!is_there(path)) fail_input(path.string(), ": no such file or folder, given for the ", component);
  if (is_folder(path)) {
    const fs::path folder = is_there(path / "config.json") ? path : path / component;
    if (!is_there(folder / "config.json"))
      fail_input(path.string(), ": holds no ", component, ": neither config.json nor a folder of that name");
    return {Config::read(folder / "config.json"), [=] { return component_weights(folder, component); }};
  }
  const auto source = open_weights_file(path);
  if (component == "vae" && is_tiny_vae(*source)) {
    const auto tensors = tiny_vae_tensors(source);
    return {Config{path, tiny_vae_config(*tensors)}, [tensors] { return tensors; }};
  }
  const auto checkpoint = std::make_shared<const Checkpoint>(read_checkpoint(source, ema));
  if (!checkpoint->components.contains(component)) {
    std::vector<std::string> found;
    for (const auto& [name, weights] : checkpoint->components) found.push_back(name);
    fail_input(path.string(), ": holds no ", component, "; it holds ", join(found));
  }
  return {Config{path, checkpoint->configs.at(component)},
          [=] { return checkpoint_weights(*checkpoint, component); }};
}

void replace(ModelSource& source, const std::string& component, const fs::path& path, Ema ema) {
  const Part part = open_part(path, component, ema);
  source.config = [component, config = part.config, others = source.config](const std::string& name) {
    return name == component ? config : others(name);
  };
  source.weights = [component, weights = part.weights, others = source.weights](const std::string& name) {
    return name == component ? weights() : others(name);
  };
}

}  // namespace

ModelSource open_model_source(const ModelFiles& files) {
  const fs::path& path = files.model;
  if (!is_there(path)) fail_input(path.string(), ": no such model folder or file");
  const Ema ema = files.ema ? Ema::kYes : Ema::kNo;
  if (files.ema && is_folder(path))
    fail_input(path.string(), ": a folder has no EMA weights beside the others; leave --ema out");
  ModelSource source = is_folder(path) ? open_folder(path) : open_single_file(path, ema);
  for (const auto& [component, part] : files.parts) replace(source, component, part, Ema::kNo);
  return source;
}

std::string clip_pad_token(const Checkpoint& checkpoint, const std::string& tokenizer) {
  // OpenAI's CLIP pads with its end, OpenCLIP, whose activation is another, with token 0.
  const auto text = checkpoint.configs.find("text_encoder");
  const bool is_openai = tokenizer == "tokenizer" && text != checkpoint.configs.end() &&
                         text->second.at("hidden_act") == "quick_gelu";
  return is_openai ? "<|endoftext|>" : "!";
}

}  // namespace sdgen
