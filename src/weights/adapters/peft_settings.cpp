#include "weights/adapters/peft_settings.h"

#include <cmath>
#include <set>

#include "base/input_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBytes = std::size_t{4} << 20, kMaxPatterns = 10'000,
                      kMaxOfPatterns = 1'000'000;  // of all patterns
constexpr double kDefaultAlpha = 8.0;              // LoraConfig's, where settings leave lora_alpha out

// As PEFT knows a layer: without what a file's keys begin with.
std::string layer_of(const std::string& module) {
  for (const std::string prefix : {"base_model.model.", "unet.", "text_encoder_2.", "text_encoder."})
    if (module.starts_with(prefix)) return module.substr(prefix.size());
  return module;
}

double finite(const std::string& where, const std::string& key, const Json& value) {
  if (value.is_number() && std::isfinite(value.get<double>())) return value.get<double>();
  fail_input(where, ": key '", key.substr(0, 200), "': expected a finite number, found ", shown(value));
}

}  // namespace

PeftSettings::PeftSettings(const LoraFile& file) {
  const fs::path path = file.path, config = path.parent_path() / "adapter_config.json";
  if (path.stem() == "adapter_model" && is_there(config)) {
    where_ = config.string();
    text_ = read_input(config, kMaxBytes, "a JSON file");
    is_of_all_ = true;
  } else {
    const Metadata metadata = file.tensors->metadata();
    const auto found = metadata.find("lora_adapter_metadata");
    if (found == metadata.end()) return;
    where_ = concat(file.path, ": metadata 'lora_adapter_metadata'");
    text_ = found->second;
    if (text_.size() > kMaxBytes) fail_input(where_, ": ", text_.size(), " bytes (limit ", kMaxBytes, ")");
  }
  json_ = parse_json(text_, where_);
  if (!json_.is_object()) fail_input(where_, ": expected a JSON object; the file is damaged");
  // Saved with a model of its own, settings name no component.
  if (json_.contains("lora_alpha") || json_.contains("alpha_pattern")) is_of_all_ = true;
}

// Json sorts its keys: the text tells their order. A key that is there twice stands where it stood first.
std::vector<std::string> PeftSettings::in_order(const std::string& key, const Json& object) const {
  std::vector<std::string> order;
  std::set<std::string> known;
  std::string member;
  const auto note = [&](int depth, Json::parse_event_t event, Json& name) {
    if (event != Json::parse_event_t::key) return true;
    if (depth == 1) member = name.get<std::string>();
    if (depth == 2 && member == key && object.contains(name.get<std::string>()) &&
        known.insert(name.get<std::string>()).second)
      order.push_back(name.get<std::string>());
    return true;
  };
  const Json ignored = Json::parse(text_, note);
  return order;
}

PeftSettings::Component PeftSettings::read(const std::string& component) const {
  const std::string prefix = is_of_all_ ? "" : component + ".";
  Component settings;
  bool is_told = is_of_all_;
  for (const auto& item : json_.items()) is_told = is_told || item.key().starts_with(prefix);
  if (!is_told) return settings;
  const auto member = [&](const std::string& name) {
    const auto found = json_.find(prefix + name);
    return found == json_.end() ? Json() : *found;
  };
  const Json alpha = member("lora_alpha"), patterns = member("alpha_pattern");
  settings.alpha = alpha.is_null() ? kDefaultAlpha : finite(where_, prefix + "lora_alpha", alpha);
  settings.over_root = member("use_rslora") == Json(true);
  if (!patterns.is_object()) return settings;
  const std::string key = prefix + "alpha_pattern";
  if (patterns.size() > kMaxPatterns)
    fail_input(where_, ": key '", key, "': ", patterns.size(), " patterns (limit ", kMaxPatterns, ")");
  std::size_t instructions = 0;
  for (const std::string& pattern : in_order(key, patterns)) {
    settings.patterns.emplace_back(NamePattern(pattern, concat(where_, ": key '", key, "'")),
                                   finite(where_, pattern, patterns.at(pattern)));
    instructions += settings.patterns.back().first.instructions();
    if (instructions > kMaxOfPatterns) fail_input(where_, ": key '", key, "': its patterns are too large");
  }
  return settings;
}

double PeftSettings::alpha_of(const Component& component, const std::string& layer) {
  for (const auto& [pattern, alpha] : component.patterns) {
    const bool matches = pattern.matches_end_of(layer, steps_);
    if (steps_ > kMaxPatternSteps)
      fail_input(where_,
                 ": its patterns take too long to match; name the layers in 'alpha_pattern' more plainly");
    if (matches) return alpha;
  }
  return *component.alpha;
}

void PeftSettings::apply(LoraModule& module) {
  const std::string& component = module.place.component;
  if (!components_.contains(component)) components_.emplace(component, read(component));
  const Component& settings = components_.at(component);
  if (!settings.alpha) return;
  module.alpha = alpha_of(settings, layer_of(module.name));
  module.alpha_over_root = settings.over_root;
}

}  // namespace sdgen
