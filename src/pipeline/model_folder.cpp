#include "pipeline/model_folder.h"

#include <algorithm>
#include <cmath>

#include "pipeline/families.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// An entry of model_index.json: ["library", "Class"], or [null, null] for a component that was left out.
std::string component_class(const Config& index, const std::string& name) {
  const Json& entry = index.json.at(name);
  if (!entry.is_array() || entry.size() != 2 || !(entry[1].is_string() || entry[1].is_null()))
    fail_input(index.path.string(), ": key '", name, "': expected [\"library\", \"class\"]");
  return entry[1].is_null() ? "" : entry[1].get<std::string>();
}

void check_components(const Config& index, const Family& family) {
  for (const auto& [name, expected] : family.components) {
    if (!index.has(name)) fail_input(index.path.string(), ": component '", name, "' is missing");
    if (const std::string found = component_class(index, name); found != expected)
      fail_input(index.path.string(), ": component '", name, "': ",
                 found.empty() ? "it was left out; " + expected + " is needed"
                               : unknown_name("class", found, {expected}));
    if (!fs::is_directory(index.path.parent_path() / name))
      fail_input((index.path.parent_path() / name).string(),
                 ": no such folder, but model_index.json names it");
  }
  for (const auto& item : index.json.items()) {
    const std::string& name = item.key();
    const bool known =
        std::find(family.ignored.begin(), family.ignored.end(), name) != family.ignored.end() ||
        std::any_of(family.components.begin(), family.components.end(),
                    [&](const auto& component) { return component.first == name; });
    if (!known && item.value().is_array() && !component_class(index, name).empty())
      fail_input(index.path.string(), ": component '", name, "' (", component_class(index, name),
                 ") is not part of ", family.pipeline_class, " as we know it");
  }
}

void check_agreement(const ModelFolder& model) {
  const std::string unet_file = (model.path / "unet" / "config.json").string();
  for (const std::int64_t width : model.unet.cross_attention_dim)
    if (width != model.text.hidden_size)
      fail_input(unet_file, ": cross_attention_dim ", width, " contradicts the text encoder's hidden_size ",
                 model.text.hidden_size);
  if (model.unet.in_channels != model.vae.latent_channels)
    fail_input(unet_file, ": in_channels ", model.unet.in_channels, " contradicts the VAE's latent_channels ",
               model.vae.latent_channels,
               model.unet.in_channels > 4
                   ? " (inpainting and other models with image inputs are not supported)"
                   : "");
  if (model.unet.out_channels != model.vae.latent_channels)
    fail_input(unet_file, ": out_channels ", model.unet.out_channels,
               " contradicts the VAE's latent_channels ", model.vae.latent_channels);
}

void read_defaults(const fs::path& path, ModelFolder& model) {
  if (!fs::exists(path)) return;
  const Config defaults = Config::read(path);
  model.guidance_scale = defaults.value("guidance_scale", model.guidance_scale);
  model.steps = defaults.value("steps", model.steps);
  if (model.steps < 1 || !std::isfinite(model.guidance_scale))
    fail_input(path.string(), ": steps and guidance_scale must be sensible");
}

}  // namespace

ModelFolder read_model_folder(const fs::path& path) {
  if (!fs::exists(path)) fail_input(path.string(), ": no such model folder");
  if (!fs::is_directory(path))
    fail_input(path.string(), ": not a folder; a model is a diffusers folder with model_index.json");
  const Config index = Config::read(path / "model_index.json");
  const Family& family = find_family(index.at<std::string>("_class_name"), index.path.string());
  check_components(index, family);
  ModelFolder model;
  model.path = path;
  model.name = fs::weakly_canonical(path).filename().string();
  model.family = family.pipeline_class;
  model.text = ClipTextConfig::read(Config::read(path / "text_encoder" / "config.json"));
  model.unet = UnetConfig::read(Config::read(path / "unet" / "config.json"));
  model.vae = AutoencoderConfig::read(Config::read(path / "vae" / "config.json"));
  model.scheduler = SchedulerConfig::read(Config::read(path / "scheduler" / "scheduler_config.json"));
  if (index.has("scheduler"))
    model.scheduler.class_name = component_class(index, "scheduler");  // as diffusers reads it
  family.adjust(model.scheduler, model.unet);
  read_defaults(path / "sdgen.json", model);
  check_agreement(model);
  return model;
}

}  // namespace sdgen
