#include "weights/adapters/lora_file.h"

#include <algorithm>
#include <cmath>

#include "base/input_file.h"
#include "base/tensor.h"
#include "weights/adapters/lora_names.h"
#include "weights/adapters/peft_settings.h"
#include "weights/formats/weights_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

fs::path lora_in(const fs::path& path) {
  if (!is_folder(path)) return path;
  const std::vector<std::string> names = {"pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin",
                                          "adapter_model.safetensors", "adapter_model.bin"};
  for (const std::string& name : names)
    if (is_there(path / name)) return path / name;
  fail_input(path.string(), ": holds no LoRA; looked for ", join(names));
}

double read_alpha(const LoraFile& file, const std::string& key) {
  const TensorInfo& info = *file.tensors->find(key);
  const bool is_one = std::all_of(info.shape.begin(), info.shape.end(), [](auto size) { return size == 1; });
  if (is_one) {
    const double alpha = file.tensors->read(key).to(at::kDouble).item<double>();
    if (std::isfinite(alpha)) return alpha;
    fail_input(file.path, ": tensor '", key, "': expected a finite number, found ", alpha);
  }
  fail_input(file.path, ": tensor '", key, "': expected one number, found shape ", shape_text(info.shape));
}

void add_alphas(LoraFile& file) {
  PeftSettings settings(file);
  for (LoraModule& module : file.modules) {
    const auto own = module.keys.find(LoraPart::kAlpha);
    if (own != module.keys.end())
      module.alpha = read_alpha(file, own->second);
    else
      settings.apply(module);
  }
}

}  // namespace

LoraFile open_lora(const fs::path& path) {
  if (!is_there(path)) fail_input(path.string(), ": no such LoRA file");
  LoraFile file;
  const fs::path opened = lora_in(path);
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
