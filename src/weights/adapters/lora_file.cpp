#include "weights/adapters/lora_file.h"

#include <cmath>

#include "base/input_file.h"
#include "base/json_file.h"
#include "base/tensor.h"
#include "weights/adapters/lora_names.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostSettingsBytes = std::size_t{4} << 20;  // of adapter_config.json

fs::path file_of(const fs::path& path) {
  if (!is_folder(path)) return path;
  const std::vector<std::string> names = {"pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin",
                                          "adapter_model.safetensors", "adapter_model.bin"};
  for (const std::string& name : names)
    if (is_there(path / name)) return path / name;
  fail_input(path.string(), ": holds no LoRA; looked for ", join(names));
}

double read_alpha(const LoraFile& file, const std::string& key) {
  const TensorInfo& info = *file.tensors->find(key);
  if (at::IntArrayRef(info.shape).empty() || info.shape == std::vector<std::int64_t>{1}) {
    const double alpha = file.tensors->read(key).to(at::kDouble).item<double>();
    if (std::isfinite(alpha)) return alpha;
    fail_input(file.path, ": tensor '", key, "': expected a finite number, found ", alpha);
  }
  fail_input(file.path, ": tensor '", key, "': expected one number, found shape ", shape_text(info.shape));
}

// PEFT's settings of one component, as diffusers keeps them in the file's metadata.
struct PeftSettings {
  std::optional<double> alpha;
  std::map<std::string, double> alpha_pattern;  // by the layer's name, or its end
  bool alpha_over_root = false;
};

// PEFT's own folders say it in a file beside the weights, without the component.
Json peft_folder_json(const fs::path& config) {
  const Json settings = read_json_file(config, kMostSettingsBytes);
  Json json = Json::object();
  for (const char* const name : {"lora_alpha", "alpha_pattern", "use_rslora"})
    if (const auto found = settings.find(name); found != settings.end())
      for (const std::string component : {"unet.", "text_encoder.", "text_encoder_2."})
        json[component + name] = *found;
  return json;
}

Json peft_json(const LoraFile& file) {
  const fs::path path = file.path, config = path.parent_path() / "adapter_config.json";
  if (path.stem() == "adapter_model" && is_there(config)) return peft_folder_json(config);
  const Metadata metadata = file.tensors->metadata();
  const auto found = metadata.find("lora_adapter_metadata");
  if (found == metadata.end()) return Json::object();
  Json json = parse_json(found->second, concat(file.path, ": metadata 'lora_adapter_metadata'"));
  if (!json.is_object())
    fail_input(file.path, ": metadata 'lora_adapter_metadata': expected a JSON object; the file is damaged");
  return json;
}

double finite_alpha(const LoraFile& file, const std::string& key, const Json& value) {
  if (value.is_number() && std::isfinite(value.get<double>())) return value.get<double>();
  fail_input(file.path, ": metadata '", key, "': expected a finite number, found ", shown(value));
}

PeftSettings peft_settings(const LoraFile& file, const Json& json, const std::string& component) {
  PeftSettings settings;
  const auto member = [&](const std::string& name) -> const Json* {
    const auto found = json.find(component + "." + name);
    return found == json.end() || found->is_null() ? nullptr : &*found;
  };
  if (const Json* const alpha = member("lora_alpha"))
    settings.alpha = finite_alpha(file, component + ".lora_alpha", *alpha);
  if (const Json* const pattern = member("alpha_pattern"); pattern && pattern->is_object())
    for (const auto& item : pattern->items())
      settings.alpha_pattern[item.key()] = finite_alpha(file, item.key(), item.value());
  const Json* const over_root = member("use_rslora");
  settings.alpha_over_root = over_root && *over_root == true;
  return settings;
}

// The alpha of a module that stores none itself.
void apply(const PeftSettings& settings, LoraModule& module) {
  if (!settings.alpha) return;
  module.alpha = settings.alpha;
  module.alpha_over_root = settings.alpha_over_root;
  const std::string dotted = "." + module.name;
  std::string matched;  // of several, the last in order counts
  for (std::size_t dot = 0; dot != std::string::npos; dot = dotted.find('.', dot + 1)) {
    const auto pattern = settings.alpha_pattern.find(dotted.substr(dot + 1));
    if (pattern == settings.alpha_pattern.end() || pattern->first < matched) continue;
    matched = pattern->first;
    module.alpha = pattern->second;
  }
}

void add_alphas(LoraFile& file) {
  const Json json = peft_json(file);
  std::map<std::string, PeftSettings> settings;
  for (LoraModule& module : file.modules) {
    const std::string& component = module.place.component;
    if (!settings.contains(component)) settings[component] = peft_settings(file, json, component);
    const auto own = module.keys.find(LoraPart::kAlpha);
    if (own != module.keys.end())
      module.alpha = read_alpha(file, own->second);
    else
      apply(settings[component], module);
  }
}

}  // namespace

LoraFile open_lora(const fs::path& path) {
  if (!is_there(path)) fail_input(path.string(), ": no such LoRA file");
  LoraFile file;
  const fs::path opened = file_of(path);
  file.path = opened.string();
  file.tensors = open_weights_file(opened);
  std::map<std::string, LoraModule> modules;
  for (const std::string& key : file.tensors->keys()) {
    const auto split = split_lora_key(key);
    if (!split) {
      file.unknown.push_back(key);
      continue;
    }
    const auto& [name, part] = *split;
    LoraModule& module = modules[name];
    if (const auto [other, is_new] = module.keys.emplace(part, key); !is_new)
      fail_input(file.path, ": tensors '", other->second, "' and '", key, "' are the same part of '", name,
                 "'; two files in one?");
  }
  for (auto& [name, module] : modules) {
    module.name = name;
    module.place = lora_place(name);
    file.modules.push_back(std::move(module));
  }
  if (file.modules.empty())
    fail_input(file.path, ": holds no LoRA that is known here (its first tensor is '",
               file.unknown.empty() ? "" : file.unknown.front(), "'); known: LoRA, LoHa, LoKr, diff, DoRA");
  add_alphas(file);
  return file;
}

}  // namespace sdgen
