#include "models/families/unet_family.h"

#include "models/families/family_parts.h"

namespace sdgen {
namespace {

bool has_two_texts(const Family& family) {
  return family.texts.size() > 1;
}

std::shared_ptr<ClipTextModel> read_texts(const Family& family, const Model& model) {
  auto clip = std::make_shared<ClipTextModel>();
  clip->used = has_two_texts(family) ? TextStatesUsed::kBeforeLast : TextStatesUsed::kLast;
  for (const FamilyText& text : family.texts) {
    if (!check_component(model.source.index(), text.encoder, text.class_name, text.optional)) continue;
    const bool with_projection = text.class_name == "CLIPTextModelWithProjection";
    clip->texts.push_back({text.encoder, text.tokenizer,
                           ClipTextConfig::read(model.source.config(text.encoder), with_projection)});
  }
  return clip;
}

// Numbers told beside the words; -1 where widths do not fit together.
std::int64_t time_id_count_of(const UnetConfig& unet, const ClipTextConfig& pooling) {
  if (unet.added_width == 0) return 0;
  const std::int64_t numbers = unet.added_width - pooling.projection_dim;
  return numbers % unet.addition_time_embed_dim == 0 ? numbers / unet.addition_time_embed_dim : -1;
}

void check_texts(const Model& model, const ClipTextModel& clip, const UnetConfig& unet,
                 const std::string& unet_file) {
  const std::int64_t width = clip.width();
  for (const std::int64_t expected : unet.cross_attention_dim)
    if (expected != width)
      fail_input(unet_file, ": cross_attention_dim ", expected,
                 " contradicts the text encoder's hidden_size ", width);
  const bool pools = clip.used == TextStatesUsed::kBeforeLast;
  if (pools != (unet.added_width > 0))
    fail_input(unet_file, ": key 'addition_embed_type' ", pools ? "is missing" : "is not expected", "; a ",
               model.family, pools ? " has text_time there" : " has none");
  if (pools && model.time_id_count != 5 && model.time_id_count != 6)
    fail_input(unet_file, ": projection_class_embeddings_input_dim ", unet.added_width,
               " contradicts the text encoder's projection_dim ", clip.texts.back().config.projection_dim,
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
  warn_of_other_components(family, model, "unet");
  model.zeros_for_empty_prompt = source.index().value("force_zeros_for_empty_prompt", false);
  const std::shared_ptr<ClipTextModel> clip = read_texts(family, model);
  model.text = clip;
  UnetConfig unet = UnetConfig::read(source.config("unet"));
  read_vae_and_scheduler(model);
  if (adjust) adjust(model.scheduler, unet);
  const std::string unet_file = source.config("unet").path.string();
  model.time_id_count = time_id_count_of(unet, clip->texts.back().config);
  check_texts(model, *clip, unet, unet_file);
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
