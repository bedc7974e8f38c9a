#include "models/families/unet_family.h"

#include <algorithm>

namespace sdgen {
namespace {

// Components that no family computes with: they do not change the picture.
const std::vector<std::string>& ignored_components() {
  static const std::vector<std::string> kIgnored = {"scheduler", "safety_checker", "feature_extractor",
                                                    "image_encoder"};
  return kIgnored;
}

bool has_two_texts(const Family& family) {
  return family.texts.size() > 1;
}

void read_texts(const Family& family, Model& model) {
  for (const FamilyText& text : family.texts) {
    if (!check_component(model.source.index(), text.encoder, text.class_name, text.optional)) continue;
    const bool with_projection = text.class_name == "CLIPTextModelWithProjection";
    model.texts.push_back({text.encoder, text.tokenizer,
                           ClipTextConfig::read(model.source.config(text.encoder), with_projection)});
  }
}

// Told of components that are there for other pipelines (a ControlNet, a watermarker).
void warn_of_others(const Config& index, const Family& family, Model& model) {
  std::vector<std::string> known = ignored_components();
  known.insert(known.end(), {"unet", "vae"});
  for (const FamilyText& text : family.texts) known.insert(known.end(), {text.encoder, text.tokenizer});
  for (const auto& item : index.json.items()) {
    const std::string& name = item.key();
    if (std::find(known.begin(), known.end(), name) != known.end() || !item.value().is_array()) continue;
    if (const std::string found = component_class(index, name); !found.empty())
      model.warnings.push_back(
          concat(index.path.string(), ": component '", name, "' (", found, ") is left out of the picture"));
  }
}

// Numbers told beside the words; -1 where widths do not fit together.
std::int64_t time_id_count_of(const UnetConfig& unet, const ClipTextConfig& pooling) {
  if (unet.added_width == 0) return 0;
  const std::int64_t numbers = unet.added_width - pooling.projection_dim;
  return numbers % unet.addition_time_embed_dim == 0 ? numbers / unet.addition_time_embed_dim : -1;
}

void check_texts(const Model& model, const UnetConfig& unet, const std::string& unet_file) {
  std::int64_t width = 0;
  for (const TextModel& text : model.texts) width += text.config.hidden_size;
  for (const std::int64_t expected : unet.cross_attention_dim)
    if (expected != width)
      fail_input(unet_file, ": cross_attention_dim ", expected,
                 " contradicts the text encoder's hidden_size ", width);
  const bool pools = model.text_states == TextStatesUsed::kBeforeLast;
  if (pools != (unet.added_width > 0))
    fail_input(unet_file, ": key 'addition_embed_type' ", pools ? "is missing" : "is not expected", "; a ",
               model.family, pools ? " has text_time there" : " has none");
  if (pools && model.time_id_count != 5 && model.time_id_count != 6)
    fail_input(unet_file, ": projection_class_embeddings_input_dim ", unet.added_width,
               " contradicts the text encoder's projection_dim ", model.texts.back().config.projection_dim,
               " and addition_time_embed_dim ", unet.addition_time_embed_dim);
}

ImageInput image_input_of(const UnetConfig& unet, const AutoencoderConfig& vae,
                          const std::string& unet_file) {
  const std::int64_t latents = vae.latent_channels, extra = unet.in_channels - latents;
  if (extra != 0 && extra != latents && extra != latents + 1)
    fail_input(unet_file, ": in_channels ", unet.in_channels, " contradicts the VAE's latent_channels ",
               latents, " (", latents, ", ", 2 * latents, " or ", 2 * latents + 1, " would fit)");
  if (unet.out_channels != latents)
    fail_input(unet_file, ": out_channels ", unet.out_channels, " contradicts the VAE's latent_channels ",
               latents);
  return extra == 0 ? ImageInput::kNone : extra == latents ? ImageInput::kPicture : ImageInput::kMasked;
}

}  // namespace

std::vector<FamilyText> one_text() {
  return {{"text_encoder", "CLIPTextModel", "tokenizer"}};
}

std::vector<FamilyText> two_texts() {
  return {{"text_encoder", "CLIPTextModel", "tokenizer", /*optional=*/true},  // the refiner has none
          {"text_encoder_2", "CLIPTextModelWithProjection", "tokenizer_2"}};
}

void open_unet_family(const Family& family, Model& model, AdjustConfigs adjust) {
  const ModelSource& source = model.source;
  check_component(source.index(), "unet", "UNet2DConditionModel");
  if (!source.index().has("vae") || component_class(source.index(), "vae") != "AutoencoderTiny")
    check_component(source.index(), "vae", "AutoencoderKL");
  warn_of_others(source.index(), family, model);
  model.text_states = has_two_texts(family) ? TextStatesUsed::kBeforeLast : TextStatesUsed::kLast;
  model.zeros_for_empty_prompt = source.index().value("force_zeros_for_empty_prompt", false);
  read_texts(family, model);
  UnetConfig unet = UnetConfig::read(source.config("unet"));
  model.vae = AutoencoderConfig::read(source.config("vae"));
  model.scheduler = SchedulerConfig::read(source.config("scheduler"));
  if (source.index().has("scheduler"))
    model.scheduler.class_name = component_class(source.index(), "scheduler");  // as diffusers reads it
  if (adjust) adjust(model.scheduler, unet);
  const std::string unet_file = source.config("unet").path.string();
  model.time_id_count = time_id_count_of(unet, model.texts.back().config);
  check_texts(model, unet, unet_file);
  model.image_input = image_input_of(unet, model.vae, unet_file);
  model.denoiser = "unet";
  model.network = std::make_shared<const UnetModel>(std::move(unet));
}

void adjust_stable_diffusion(SchedulerConfig& scheduler, UnetConfig& unet) {
  scheduler.steps_offset = 1;
  scheduler.clip_sample = false;
  if (unet.older_than_0_9 && unet.sample_height == unet.sample_width && unet.sample_height < 64)
    unet.sample_height = unet.sample_width = 64;
}

Json original_scheduler(const std::string& class_name, const Markers& markers, bool v_by_default,
                        const Json& beside) {
  const bool is_v = markers.v_prediction.value_or(v_by_default);
  Json config = {{"_class_name", class_name},
                 {"beta_start", 0.00085},
                 {"beta_end", 0.012},
                 {"beta_schedule", "scaled_linear"},
                 {"num_train_timesteps", 1000},
                 {"trained_betas", nullptr},
                 {"prediction_type", is_v ? "v_prediction" : "epsilon"},
                 {"steps_offset", 1},
                 {"set_alpha_to_one", false},
                 {"skip_prk_steps", true},
                 {"clip_sample", false}};
  config.update(beside);
  // "Common Diffusion Noise Schedules and Sample Steps are Flawed": no signal at the last step, which is then
  // visited.
  if (markers.zero_snr) config.update({{"rescale_betas_zero_snr", true}, {"timestep_spacing", "trailing"}});
  return config;
}

void set_native_size(int pixels, double scaling_factor, OriginalConfigs& configs) {
  configs.unet["sample_size"] = pixels / 8;
  configs.vae = {{"sample_size", pixels}, {"scaling_factor", scaling_factor}};
}

void without_safety_checker(OriginalConfigs& configs) {
  configs.model_index["safety_checker"] = {nullptr, nullptr};
  configs.model_index["requires_safety_checker"] = false;
}

}  // namespace sdgen
