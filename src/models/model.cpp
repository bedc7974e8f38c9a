#include "models/model.h"

#include <algorithm>
#include <cmath>

#include "base/config_range.h"
#include "base/input_file.h"
#include "models/families.h"
#include "text/prompt_words.h"

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

// False where an optional component was left out.
bool check_component(const Config& index, const std::string& name, const std::string& expected,
                     bool optional = false) {
  const bool listed = index.has(name);
  const std::string found = listed ? component_class(index, name) : "";
  if (found == expected) return true;
  if (found.empty() && optional) return false;
  if (!listed) fail_input(index.path.string(), ": component '", name, "' is missing");
  fail_input(index.path.string(), ": component '", name, "': ",
             found.empty() ? "it was left out; " + expected + " is needed"
                           : unknown_name("class", found, {expected}));
}

void read_texts(const Family& family, Model& model) {
  const Config& index = model.source.index;
  for (const FamilyText& text : family.texts) {
    if (!check_component(index, text.encoder, text.class_name, text.optional)) continue;
    const bool with_projection = text.class_name == "CLIPTextModelWithProjection";
    model.texts.push_back({text.encoder, text.tokenizer,
                           ClipTextConfig::read(model.source.config(text.encoder), with_projection)});
  }
}

void check_no_others(const Config& index, const Family& family) {
  std::vector<std::string> known = ignored_components();
  known.insert(known.end(), {"unet", "vae"});
  for (const FamilyText& text : family.texts) known.insert(known.end(), {text.encoder, text.tokenizer});
  for (const auto& item : index.json.items()) {
    const std::string& name = item.key();
    if (std::find(known.begin(), known.end(), name) != known.end() || !item.value().is_array()) continue;
    if (const std::string found = component_class(index, name); !found.empty())
      fail_input(index.path.string(), ": component '", name, "' (", found, ") is not part of ",
                 family.pipeline_class, " as we know it");
  }
}

void check_texts(const Model& model, const std::string& unet_file) {
  std::int64_t width = 0;
  for (const TextModel& text : model.texts) width += text.config.hidden_size;
  for (const std::int64_t expected : model.unet.cross_attention_dim)
    if (expected != width)
      fail_input(unet_file, ": cross_attention_dim ", expected,
                 " contradicts the text encoder's hidden_size ", width);
  const bool pools = model.text_states == TextStatesUsed::kBeforeLast;
  if (pools != (model.unet.added_width > 0))
    fail_input(unet_file, ": key 'addition_embed_type' ", pools ? "is missing" : "is not expected", "; a ",
               model.family, pools ? " has text_time there" : " has none");
  if (pools && model.added_numbers() != 5 && model.added_numbers() != 6)
    fail_input(unet_file, ": projection_class_embeddings_input_dim ", model.unet.added_width,
               " contradicts the text encoder's projection_dim ", model.texts.back().config.projection_dim,
               " and addition_time_embed_dim ", model.unet.addition_time_embed_dim);
}

void check_agreement(const Model& model) {
  const std::string unet_file = model.source.config("unet").path.string();
  check_texts(model, unet_file);
  const std::int64_t latents = model.vae.latent_channels;
  const std::int64_t extra = model.unet.in_channels - latents;
  if (extra != 0 && extra != latents && extra != latents + 1)
    fail_input(unet_file, ": in_channels ", model.unet.in_channels, " contradicts the VAE's latent_channels ",
               latents, " (", latents, ", ", 2 * latents, " or ", 2 * latents + 1, " would fit)");
  if (model.unet.out_channels != latents)
    fail_input(unet_file, ": out_channels ", model.unet.out_channels,
               " contradicts the VAE's latent_channels ", latents);
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
  if (!defaults.has("words")) return;
  const Json& words = defaults.json.at("words");
  const auto is_text = [](const Json& word) { return word.is_string(); };
  if (!words.is_array() || !std::all_of(words.begin(), words.end(), is_text))
    fail_input(path.string(), ": key 'words': expected a list of words");
  for (const Json& word : words) model.words.insert(folded_word(word.get<std::string>()));
}

}  // namespace

ImageInput Model::image_input() const {
  const std::int64_t extra = unet.in_channels - vae.latent_channels;
  return extra == 0                     ? ImageInput::kNone
         : extra == vae.latent_channels ? ImageInput::kPicture
                                        : ImageInput::kMasked;
}

std::int64_t Model::added_numbers() const {
  if (unet.added_width == 0) return 0;
  const std::int64_t numbers = unet.added_width - texts.back().config.projection_dim;
  return numbers % unet.addition_time_embed_dim == 0 ? numbers / unet.addition_time_embed_dim : -1;
}

Model read_model(const ModelFiles& files) {
  const fs::path& path = files.model;
  Model model;
  model.source = open_model_source(files);
  const Config& index = model.source.index;
  const Family& family = find_family(index.at<std::string>("_class_name"), index.path.string());
  check_component(index, "unet", "UNet2DConditionModel");
  if (!index.has("vae") || component_class(index, "vae") != "AutoencoderTiny")
    check_component(index, "vae", "AutoencoderKL");
  check_no_others(index, family);
  const fs::path canonical = fs::weakly_canonical(path);
  model.name = (is_folder(path) ? canonical.filename() : canonical.stem()).string();
  model.family = family.pipeline_class;
  model.text_states = family.text_states;
  model.guidance_scale = family.guidance_scale;
  model.steps = family.steps;
  model.zeros_for_empty_prompt = index.value("force_zeros_for_empty_prompt", false);
  read_texts(family, model);
  model.unet = UnetConfig::read(model.source.config("unet"));
  model.vae = AutoencoderConfig::read(model.source.config("vae"));
  model.scheduler = SchedulerConfig::read(model.source.config("scheduler"));
  if (index.has("scheduler"))
    model.scheduler.class_name = component_class(index, "scheduler");  // as diffusers reads it
  family.adjust(model.scheduler, model.unet);
  read_defaults(path / "sdgen.json", model);
  check_agreement(model);
  return model;
}

}  // namespace sdgen
