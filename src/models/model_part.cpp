#include "models/model_part.h"

#include <optional>

#include "base/input_file.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"
#include "weights/original/checkpoint_places.h"
#include "weights/original/markers.h"
#include "weights/original/original_unet.h"
#include "weights/original/original_vae.h"
#include "weights/original/tiny_vae.h"
#include "weights/shapes.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// A part, and what its file says of itself beside it.
struct Part {
  ComponentSource component;
  Markers markers{};
  Json scheduler{};  // of a single file with a UNet; null: none
};

// The config of the component that a part replaces; nothing where the model has none.
std::optional<Config> replaced_config(const ModelSource& source, const std::string& component) {
  try {
    return source.config(component);
  } catch (const Error&) {
    return std::nullopt;  // the part is there because it lacks or is damaged
  }
}

// Tensors of a UNet or an autoencoder under diffusers' names.
bool has_diffusers_names(const TensorSource& source, const std::string& component) {
  if (component == "unet")
    return has_tensor(source, "conv_in.weight") && has_tensor(source, "conv_norm_out.weight");
  return component == "vae" && has_tensor(source, "decoder.conv_norm_out.weight");
}

// Whether `config` is of the same class as what shapes tell.
bool is_of_class(const Config& config, const Json& shapes) {
  const char* const key = shapes.contains("_class_name") ? "_class_name" : "architectures";
  return config.json.value(key, Json()) == shapes.value(key, Json());
}

// `shapes`: what the tensors of a file that holds nothing else tell. The config that lies beside the file; or
// that of the component which is replaced, where it is built alike: it tells what shapes do not; or what they
// do.
Config config_of(const fs::path& file, const Json& shapes, const std::optional<Config>& replaced) {
  if (const fs::path beside = file.parent_path() / "config.json"; is_there(beside))
    if (Config config = Config::read(beside); is_of_class(config, shapes)) return config;
  if (!replaced) return {file, shapes};
  for (const char* key : {"block_out_channels", "hidden_size", "num_hidden_layers"})
    if (replaced->json.value(key, Json()) != shapes.value(key, Json())) return {file, shapes};
  Json config = replaced->json;
  // A VAE's file says what its latents are only where it has marks of it (edm_mean, modelspec).
  for (const char* key : {"in_channels", "out_channels", "latent_channels", "cross_attention_dim",
                          "scaling_factor", "latents_mean", "latents_std"})
    if (shapes.contains(key)) config[key] = shapes.at(key);
  return {file, config};
}

Part open_folder_part(const fs::path& path, const std::string& component) {
  const fs::path folder = is_there(path / "config.json") ? path : path / component;
  if (!is_there(folder / "config.json"))
    fail_input(path.string(), ": holds no ", component, ": neither config.json nor a folder of that name");
  const auto tensors = folder_weights(folder, component);
  return {{Config::read(folder / "config.json"), tensors}, markers_of(*tensors)};
}

Part open_checkpoint_part(const fs::path& path, const std::shared_ptr<const TensorSource>& source,
                          const std::string& component, const std::optional<Config>& replaced) {
  const Checkpoint checkpoint = read_checkpoint(source);
  if (!checkpoint.components.contains(component)) {
    std::vector<std::string> found;
    for (const auto& [name, weights] : checkpoint.components) found.push_back(name);
    fail_input(path.string(), ": holds no ", component, "; it holds ", join(found));
  }
  const Json& shapes = checkpoint.configs.at(component);
  const bool is_alone = checkpoint.components.size() == 1;
  const auto scheduler = checkpoint.configs.find("scheduler");
  return {{is_alone ? config_of(path, shapes, replaced) : Config{path, shapes},
           checkpoint_weights(checkpoint, component)},
          markers_of(*source),
          scheduler == checkpoint.configs.end() ? Json() : scheduler->second};
}

Part open_file_part(const fs::path& path, const std::string& component,
                    const std::optional<Config>& replaced) {
  const auto source = open_weights_file(path);
  if (component == "vae" && is_tiny_vae(*source)) {
    const auto tensors = tiny_vae_tensors(source);
    return {{Config{path, tiny_vae_config(*tensors)}, tensors}};
  }
  if (!has_diffusers_names(*source, component))
    return open_checkpoint_part(path, source, component, replaced);
  const auto tensors = component == "vae" ? rename_keys(source, current_vae_name) : source;
  const Json shapes = component == "vae" ? vae_config(*tensors) : unet_config(*tensors);
  return {{config_of(path, shapes, replaced), tensors}, markers_of(*source)};
}

// Latents are as the UNet that made them has them.
void keep_latents_scale(const std::optional<Config>& replaced, Config& vae) {
  if (!replaced || vae.json.value("_class_name", "") == "AutoencoderTiny" ||
      replaced->json.value("_class_name", "") == "AutoencoderTiny")
    return;
  for (const char* key : {"scaling_factor", "shift_factor", "latents_mean", "latents_std", "sample_size"})
    if (!vae.has(key) && replaced->has(key)) vae.json[key] = replaced->json.at(key);
}

// A single file's scheduler is told by its UNet: another one brings its own. A folder's own config of a
// scheduler stays, but for what the UNet's file says.
void bring_scheduler(const Part& unet, ModelSource& source) {
  Config scheduler = source.config("scheduler");
  if (!is_folder(source.path()) && !unet.scheduler.is_null()) scheduler.json = unet.scheduler;
  if (unet.markers.v_prediction)
    scheduler.json["prediction_type"] = *unet.markers.v_prediction ? "v_prediction" : "epsilon";
  if (unet.markers.zero_snr)
    scheduler.json.update({{"rescale_betas_zero_snr", true}, {"timestep_spacing", "trailing"}});
  source.replace_scheduler(std::move(scheduler));
}

}  // namespace

std::shared_ptr<const TensorSource> folder_weights(const fs::path& folder, const std::string& component) {
  if (component.starts_with("text_encoder")) return rename_keys(open_text_files(folder), current_clip_name);
  const auto files = open_model_files(folder, "diffusion_pytorch_model");
  return component == "vae" ? rename_keys(files, current_vae_name) : files;
}

std::shared_ptr<const TensorSource> checkpoint_weights(const Checkpoint& checkpoint,
                                                       const std::string& component) {
  const auto& weights = checkpoint.components.at(component);
  return component.starts_with("text_encoder") ? rename_keys(weights, current_clip_name) : weights;
}

void replace_part(ModelSource& source, const std::string& part_name, const fs::path& path) {
  const bool is_transformer = part_name == "unet" && source.index().has("transformer");
  const std::string component = is_transformer ? "transformer" : part_name;
  if (!is_there(path)) fail_input(path.string(), ": no such file or folder, given for the ", component);
  const std::optional<Config> replaced = replaced_config(source, component);
  Part part = is_folder(path) ? open_folder_part(path, component) : open_file_part(path, component, replaced);
  if (component == "vae") keep_latents_scale(replaced, part.component.config);
  source.replace(component, part.component);
  // A language model's folder has its tokenizer in it.
  if (component == "text_encoder" && is_there(path / "tokenizer.json")) source.replace_tokenizer_folder(path);
  if (component == "unet") bring_scheduler(part, source);
}

}  // namespace sdgen
