#include "weights/adapters/lora.h"

#include <set>
#include <utility>

#include "plain/errors.h"
#include "weights/adapters/lora_delta.h"
#include "weights/adapters/lora_names.h"

namespace sdgen {
namespace {

class MergedSource : public TensorSource {
 public:
  MergedSource(std::shared_ptr<const TensorSource> source, const LoraChanges& changes)
      : source_(std::move(source)), changes_(changes) {
    for (const auto& [key, change] : changes_) {
      TensorInfo info = *source_->find(key);
      info.dtype = at::kFloat;
      infos_.emplace(key, std::move(info));
    }
  }

  std::string describe() const override { return source_->describe(); }
  Metadata metadata() const override { return source_->metadata(); }
  std::vector<std::string> keys() const override { return source_->keys(); }

  const TensorInfo* find(const std::string& key) const override {
    const auto info = infos_.find(key);
    return info == infos_.end() ? source_->find(key) : &info->second;
  }

  at::Tensor read(const std::string& key) const override {
    at::Tensor tensor = source_->read(key);
    const auto changes = changes_.find(key);
    if (changes == changes_.end()) return tensor;
    tensor = tensor.to(at::kFloat);
    const bool is_bias = key.ends_with(".bias");
    for (const LoraChange& change : changes->second) {
      const LoraModule& module = change.file->modules[change.module];
      tensor = is_bias ? merged_bias(*change.file, module, change.scale, tensor)
                       : merged_weight(*change.file, module, change.scale, tensor);
    }
    return tensor;
  }

 private:
  std::shared_ptr<const TensorSource> source_;
  LoraChanges changes_;
  std::map<std::string, TensorInfo> infos_;
};

std::vector<std::int64_t> shape_of(const TensorSource& source, const std::string& key) {
  const TensorInfo* const info = source.find(key);
  return info ? info->shape : std::vector<std::int64_t>{};
}

}  // namespace

std::shared_ptr<const TensorSource> with_loras(std::shared_ptr<const TensorSource> source,
                                               const LoraChanges& changes) {
  return std::make_shared<MergedSource>(std::move(source), changes);
}

std::vector<std::string> match_lora(
    const std::shared_ptr<const LoraFile>& file, double scale,
    const std::map<std::string, std::shared_ptr<const TensorSource>>& components,
    std::map<std::string, LoraChanges>& changes) {
  std::map<std::string, std::map<std::string, std::string>> layers;
  for (const auto& [component, source] : components) layers[component] = lora_layers(*source, component);
  std::vector<std::string> unmatched = file->unknown;
  std::map<std::pair<std::string, std::string>, std::string> changed_by;  // two names may mean one layer
  for (std::size_t i = 0; i < file->modules.size(); ++i) {
    const LoraModule& module = file->modules[i];
    const std::string& component = module.place.component;
    const auto names = layers.find(component);
    const auto layer = names == layers.end() ? std::map<std::string, std::string>::iterator{}
                                             : names->second.find(module.place.layer);
    if (names == layers.end() || layer == names->second.end()) {
      unmatched.push_back(module.name);
      continue;
    }
    const TensorSource& source = *components.at(component);
    const std::string weight = layer->second + ".weight", bias = layer->second + ".bias";
    if (const auto [other, is_new] = changed_by.emplace(std::pair(component, layer->second), module.name);
        !is_new)
      fail_input(file->path, ": '", other->second, "' and '", module.name,
                 "' are the same layer of the model, '", layer->second, "'");
    check_lora_module(*file, module, {layer->second, shape_of(source, weight), shape_of(source, bias)});
    if (changes_weight(module)) changes[component][weight].push_back({file, i, scale});
    if (changes_bias(module)) changes[component][bias].push_back({file, i, scale});
  }
  return unmatched;
}

}  // namespace sdgen
