#include "pipeline/model_source.h"

#include "weights/model_files.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// The component's folder, which model_index.json promises.
fs::path component_folder(const fs::path& model, const std::string& component) {
  if (!fs::is_directory(model / component))
    fail_input((model / component).string(), ": no such folder, but model_index.json names it");
  return model / component;
}

}  // namespace

ModelSource open_model_folder(const fs::path& path) {
  if (!fs::exists(path)) fail_input(path.string(), ": no such model folder");
  if (!fs::is_directory(path))
    fail_input(path.string(), ": not a folder; a model is a diffusers folder with model_index.json");
  ModelSource source;
  source.path = path;
  source.index = Config::read(path / "model_index.json");
  source.config = [path](const std::string& component) {
    const std::string file = component == "scheduler" ? "scheduler_config.json" : "config.json";
    return Config::read(component_folder(path, component) / file);
  };
  source.weights = [path](const std::string& component) {
    const bool is_text = component.starts_with("text_encoder");
    const auto files = open_model_files(path / component, is_text ? "model" : "diffusion_pytorch_model");
    if (is_text) return rename_keys(files, current_clip_name);
    return component == "vae" ? rename_keys(files, current_vae_name) : files;
  };
  source.tokenizer = [path](const std::string& component) { return path / component; };
  return source;
}

}  // namespace sdgen
