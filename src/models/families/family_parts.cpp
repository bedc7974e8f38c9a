#include "models/families/family_parts.h"

#include <algorithm>

#include "plain/errors.h"

namespace sdgen {
namespace {

// Components that no family computes with: they do not change the picture.
const std::vector<std::string>& ignored_components() {
  static const std::vector<std::string> kIgnored = {"scheduler", "safety_checker", "feature_extractor",
                                                    "image_encoder"};
  return kIgnored;
}

}  // namespace

void warn_of_other_components(const Family& family, Model& model, const std::string& denoiser) {
  const Config& index = model.source.index();
  std::vector<std::string> known = ignored_components();
  known.insert(known.end(), {denoiser, "vae"});
  for (const FamilyText& text : family.texts) known.insert(known.end(), {text.encoder, text.tokenizer});
  for (const auto& item : index.json.items()) {
    const std::string& name = item.key();
    if (std::find(known.begin(), known.end(), name) != known.end() || !item.value().is_array()) continue;
    if (const std::string found = component_class(index, name); !found.empty())
      model.warnings.push_back(
          concat(index.path.string(), ": component '", name, "' (", found, ") is left out of the picture"));
  }
}

void read_vae_and_scheduler(Model& model) {
  const ModelSource& source = model.source;
  if (!source.index().has("vae") || component_class(source.index(), "vae") != "AutoencoderTiny")
    check_component(source.index(), "vae", "AutoencoderKL");
  model.vae = AutoencoderConfig::read(source.config("vae"));
  model.scheduler = SchedulerConfig::read(source.config("scheduler"));
  if (source.index().has("scheduler"))
    model.scheduler.class_name = component_class(source.index(), "scheduler");  // as diffusers reads it
}

}  // namespace sdgen
