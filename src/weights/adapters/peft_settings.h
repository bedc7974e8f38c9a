// What PEFT's settings say of the alphas of layers that store none themselves.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json_file.h"
#include "weights/adapters/lora_file.h"
#include "weights/adapters/name_pattern.h"

namespace sdgen {

// The settings beside a LoRA file: PEFT's own adapter_config.json in the folder of adapter_model.*, the same
// for all components; or, as diffusers keeps them in the file, metadata lora_adapter_metadata by component.
class PeftSettings {
 public:
  // Throws Error(kInput) naming file and key: what is not JSON, or no object.
  explicit PeftSettings(const LoraFile& file);

  // Sets the module's alpha, where settings say one: that of the first pattern in the file that fits its
  // name, else lora_alpha. Throws Error(kInput) naming file and key for what is no number or no pattern.
  void apply(LoraModule& module);

 private:
  struct Component {
    std::optional<double> alpha;
    std::vector<std::pair<NamePattern, double>> patterns;  // in the file's order
    bool over_root = false;                                // rsLoRA
  };

  Component read(const std::string& component) const;
  std::vector<std::string> in_order(const std::string& key, const Json& object) const;
  double alpha_of(const Component& component, const std::string& layer);

  std::string where_;  // the file, or its metadata, for messages
  std::string text_;   // JSON, whose order counts
  Json json_ = Json::object();
  bool is_of_all_ = false;
  std::map<std::string, Component> components_;
  std::uint64_t steps_ = 0;  // of matching
};

}  // namespace sdgen
