#include "sdgen/inspect.h"

#include <algorithm>
#include <string_view>

#include "base/input_file.h"
#include "base/json_file.h"
#include "compute/compute.h"
#include "compute/torch_errors.h"
#include "models/checkpoint.h"
#include "models/inspect_parts.h"
#include "sdgen/image.h"
#include "sdgen/parameters.h"
#include "weights/formats/file_mapping.h"
#include "weights/formats/weights_file.h"
#include "weights/model_files.h"
#include "weights/original/checkpoint_places.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShownKeys = 20;

std::uint64_t size_on_disk(const fs::path& path) {
  std::error_code error;
  if (!is_folder(path)) return fs::file_size(path, error);
  std::uint64_t bytes = 0;
  for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error))
    if (std::error_code ignored; entry->is_regular_file(ignored)) bytes += entry->file_size(ignored);
  return bytes;
}

bool starts_with(const fs::path& path, std::string_view magic) {
  const FileMapping file(path);
  return std::string_view(reinterpret_cast<const char*>(file.data()), file.size()).starts_with(magic);
}

void add_fact(Inspection& inspection, const std::string& name, const std::string& value) {
  if (!value.empty()) inspection.facts.emplace_back(name, value);
}

template <typename Number>
void add_number(Inspection& inspection, const std::string& name, const std::optional<Number>& number) {
  if (number) inspection.facts.emplace_back(name, concat(*number));
}

void inspect_picture(const fs::path& path, Inspection& inspection) {
  inspection.kind = "picture";
  for (const auto& [keyword, text] : read_picture_text(path)) {
    const auto parameters = may_hold_parameters(keyword) ? read_parameters(text) : std::nullopt;
    if (!parameters) {
      inspection.metadata.emplace(keyword, text);
      continue;
    }
    const Request& request = parameters->request;
    add_fact(inspection, "prompt", request.prompt);
    add_fact(inspection, "negative prompt", request.negative_prompt);
    add_number(inspection, "seed", request.seed);
    add_number(inspection, "steps", request.steps);
    add_fact(inspection, "sampler", request.sampler.value_or(""));
    add_number(inspection, "guidance scale", request.guidance_scale);
    if (request.width && request.height)
      add_fact(inspection, "size", concat(*request.width, "x", *request.height));
    add_fact(inspection, "model", parameters->model);
    add_fact(inspection, "loras", parameters->loras);
    add_fact(inspection, "embeddings", parameters->embeddings);
    if (parameters->dtype != "float32") add_fact(inspection, "dtype", parameters->dtype);
    if (parameters->quantize != "none") add_fact(inspection, "quantize", parameters->quantize);
  }
  if (inspection.facts.empty()) add_fact(inspection, "parameters", "none in it");
}

// ["library", "Class"] of model_index.json; empty for what is left out or is no component.
std::string class_of(const Json& entry) {
  const bool is_component = entry.is_array() && entry.size() == 2 && entry[1].is_string();
  return is_component ? entry[1].get<std::string>() : "";
}

void inspect_model_folder(const fs::path& path, Inspection& inspection) {
  const Config index = Config::read(path / "model_index.json");
  inspection.kind = "model";
  inspection.family = index.value<std::string>("_class_name", "");
  for (const auto& item : index.json.items()) {
    const std::string &name = item.key(), class_name = class_of(item.value());
    if (class_name.empty()) continue;
    const fs::path folder = path / fs::path(name).filename();
    if (!is_folder(folder)) {
      inspection.missing.push_back(name);
    } else if (name.starts_with("scheduler") || name.starts_with("tokenizer") ||
               name == "feature_extractor") {
      add_fact(inspection, name, class_name);
    } else {
      const bool is_text =
          name.starts_with("text_encoder") || name == "image_encoder" || name == "safety_checker";
      inspection.components.push_back(inspected_component(
          name, class_name, *open_model_files(folder, is_text ? "model" : "diffusion_pytorch_model")));
    }
  }
}

// A component's folder by itself.
void inspect_component_folder(const fs::path& path, Inspection& inspection) {
  const Config config = Config::read(path / "config.json");
  std::vector<std::string> architectures;
  if (config.has("architectures"))
    for (const Json& name : config.json["architectures"])
      if (name.is_string()) architectures.push_back(name.get<std::string>());
  const std::string class_name = config.value<std::string>("_class_name", join(architectures));
  const bool is_text = !config.has("_class_name");
  const auto source = open_model_files(path, is_text ? "model" : "diffusion_pytorch_model");
  inspection.kind = is_text ? "text encoder" : class_name.find("UNet") == 0 ? "unet" : "other model";
  if (std::find(architectures.begin(), architectures.end(), "CLIPModel") != architectures.end())
    inspection.kind = "clip";  // --ranker takes it
  if (class_name == "AutoencoderKL") inspection.kind = "vae";
  if (class_name == "AutoencoderTiny") inspection.kind = "tiny vae";
  if (class_name == "ControlNetModel") inspection.kind = "controlnet";
  if (class_name.ends_with("Transformer2DModel")) inspection.kind = "transformer";
  inspection.metadata = source->metadata();
  inspection.components.push_back(inspected_component(inspection.kind, class_name, *source));
}

void inspect_folder(const fs::path& path, Inspection& inspection) {
  inspection.format = "diffusers folder";
  if (is_there(path / "model_index.json")) return inspect_model_folder(path, inspection);
  if (is_there(path / "config.json")) return inspect_component_folder(path, inspection);
  fail_input(
      path.string(),
      ": a folder without model_index.json or config.json; name a model's folder or a file in this one");
}

void inspect_checkpoint(const std::shared_ptr<const TensorSource>& source, Inspection& inspection) {
  const Checkpoint checkpoint = read_checkpoint(source);
  inspection.kind = checkpoint.components.size() > 1                ? "checkpoint"
                    : checkpoint.components.contains("unet")        ? "unet"
                    : checkpoint.components.contains("transformer") ? "transformer"
                    : checkpoint.components.contains("vae")         ? "vae"
                                                                    : "text encoder";
  inspection.family = checkpoint.pipeline_class;
  for (const auto& [name, config] : checkpoint.configs)
    inspection.configs.emplace(name, config.dump(-1, ' ', false, Json::error_handler_t::replace));
  for (const auto& [name, component] : checkpoint.components) {
    const Json& config = checkpoint.configs.at(name);
    const std::string class_name = config.contains("_class_name")
                                       ? config.at("_class_name").get<std::string>()
                                       : config.at("architectures").at(0).get<std::string>();
    inspection.components.push_back(inspected_component(name, class_name, *component));
  }
  if (checkpoint.configs.contains("scheduler")) {
    const Json& scheduler = checkpoint.configs.at("scheduler");
    add_fact(inspection, "scheduler", scheduler.at("_class_name").get<std::string>());
    add_fact(inspection, "prediction", scheduler.value("prediction_type", "flow"));
    add_fact(inspection, "zero terminal SNR", scheduler.value("rescale_betas_zero_snr", false) ? "yes" : "");
  }
  add_fact(inspection, "EMA weights", checkpoint.has_ema ? "there, too" : "");
  if (inspection.kind == "checkpoint") inspection.missing = checkpoint.missing;
  inspection.unused = checkpoint.unused;
}

// What --attention-maps writes.
bool inspect_attention(const TensorSource& source, Inspection& inspection) {
  const TensorInfo* const maps = source.find("token_maps");
  if (!maps || maps->shape.size() != 3 || !source.metadata().contains("prompt")) return false;
  inspection.kind = "attention maps";
  add_fact(inspection, "tokens", concat(maps->shape[0]));
  add_fact(inspection, "size", concat(maps->shape[2], "x", maps->shape[1], " latents"));
  inspection.components.push_back(inspected_component("maps", "", source));
  return true;
}

void inspect_file(const fs::path& path, Inspection& inspection) {
  const auto source = open_weights_file(path);
  inspection.format = starts_with(path, "PK") ? "pytorch" : "safetensors";
  inspection.metadata = source->metadata();
  if (inspect_attention(*source, inspection) || inspect_lora(*source, inspection)) return;
  if (is_checkpoint(*source)) return inspect_checkpoint(source, inspection);
  if (inspect_embedding(*source, inspection) || inspect_by_names(*source, inspection)) return;
  inspection.kind = "unknown";
  const auto keys = source->keys();
  inspection.unused.assign(keys.begin(),
                           keys.begin() + static_cast<std::ptrdiff_t>(std::min(keys.size(), kShownKeys)));
  inspection.components.push_back(inspected_component("tensors", "", *source));
}

Inspection inspection_of(const fs::path& path) {
  Inspection inspection;
  inspection.path = path.string();
  std::error_code error;
  if (!is_there(path)) fail_input(path.string(), ": no such file or folder");
  inspection.bytes = size_on_disk(path);
  if (fs::is_directory(path, error))
    inspect_folder(path, inspection);
  else if (inspection.format = picture_kind(path); !inspection.format.empty())
    inspect_picture(path, inspection);
  else
    inspect_file(path, inspection);
  return inspection;
}

}  // namespace

InspectedComponent inspected_component(const std::string& name, const std::string& class_name,
                                       const TensorSource& source) {
  InspectedComponent component{name, class_name};
  for (const std::string& key : source.keys()) {
    const TensorInfo& info = *source.find(key);
    std::uint64_t numbers = 1;
    for (const std::int64_t size : info.shape) numbers *= static_cast<std::uint64_t>(size);
    ++component.tensors;
    component.parameters += numbers;
    const at::ScalarType stored = info.codes.value_or(info.dtype);
    component.bytes += numbers * c10::elementSize(stored);
    component.dtypes[dtype_name(stored) + (info.codes ? " with scales" : "")] += numbers;
  }
  return component;
}

Inspection inspect(const fs::path& path) {
  return with_plain_errors([&] { return inspection_of(path); });
}

}  // namespace sdgen
