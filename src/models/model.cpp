#include "models/model.h"

#include <algorithm>
#include <cmath>

#include "base/config_range.h"
#include "base/input_file.h"
#include "diffusion/networks/unet.h"
#include "models/families/family.h"
#include "models/taught_file.h"
#include "sdgen/hub_cache.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// A link's own name counts where it is the hub's, which links to files that are named by their hash.
std::string name_of(const fs::path& path) {
  const std::string of_hub = hub_name(fs::absolute(path));
  if (!of_hub.empty()) return is_folder(path) ? of_hub : path.stem().string();
  const fs::path canonical = fs::weakly_canonical(path);
  return (is_folder(path) ? canonical.filename() : canonical.stem()).string();
}

void read_defaults(const fs::path& path, Model& model) {
  if (!is_there(path)) return;
  const Config defaults = Config::read(path);
  model.guidance_scale = defaults.value("guidance_scale", model.guidance_scale);
  model.guidance_rescale = defaults.value("guidance_rescale", model.guidance_rescale);
  model.steps = static_cast<int>(whole_number(defaults, "steps", {1, kMaxSteps}, model.steps));
  if (!std::isfinite(model.guidance_scale) ||
      !(model.guidance_rescale >= 0.0 && model.guidance_rescale <= 1.0))
    fail_input(path.string(), ": guidance_scale and guidance_rescale must be sensible");
  model.taught = read_taught(defaults);
}

// What the model's network attends to, before anything of it is known: it tells families of one class apart.
std::int64_t words_of(const ModelSource& source) {
  if (!source.index().has("unet") || component_class(source.index(), "unet").empty()) return 0;
  const Json width = source.config("unet").json.value("cross_attention_dim", Json());
  const Json& first = width.is_array() && !width.empty() ? width.front() : width;
  return first.is_number_integer() ? first.get<std::int64_t>() : 0;
}

}  // namespace

std::string component_class(const Config& index, const std::string& name) {
  const Json& entry = index.json.at(name);
  if (!entry.is_array() || entry.size() != 2 || !(entry[1].is_string() || entry[1].is_null()))
    fail_input(index.path.string(), ": key '", name, "': expected [\"library\", \"class\"]");
  return entry[1].is_null() ? "" : entry[1].get<std::string>();
}

bool check_component(const Config& index, const std::string& name, const std::string& expected,
                     bool optional) {
  const bool listed = index.has(name);
  const std::string found = listed ? component_class(index, name) : "";
  if (found == expected) return true;
  if (found.empty() && optional) return false;
  if (!listed) fail_input(index.path.string(), ": component '", name, "' is missing");
  fail_input(index.path.string(), ": component '", name, "': ",
             found.empty() ? "it was left out; " + expected + " is needed"
                           : unknown_name("class", found, {expected}));
}

const UnetConfig& Model::unet() const {
  return dynamic_cast<const UnetModel&>(*network).config();
}

int Model::size_multiple() const {
  // Sides of 8 pixels at least, whatever the VAE: so diffusers checks them.
  return std::max(8, static_cast<int>(network->patch() * vae.pixels_per_latent()));
}

Model read_model(const ModelFiles& files) {
  const fs::path& path = files.model;
  Model model;
  model.source = open_model_source(files);
  const Config& index = model.source.index();
  model.family = index.at<std::string>("_class_name");
  const Family& family = find_family(index, words_of(model.source));
  const std::vector<std::string>& classes = family.pipelines;
  if (std::find(classes.begin(), classes.end(), model.family) == classes.end())
    model.warnings.push_back(
        concat(index.path.string(), ": ", model.family, " is drawn as a ", classes.front()));
  model.name = name_of(path);
  model.guidance_scale = family.guidance_scale;
  model.steps = family.steps;
  family.open(family, model);
  read_defaults(path / "sdgen.json", model);
  return model;
}

}  // namespace sdgen
