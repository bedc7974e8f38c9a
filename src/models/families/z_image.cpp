// Z-Image, Turbo and Base ("Z-Image: An Efficient Image Generation Foundation Model with Single-Stream
// Diffusion Transformer").
#include "diffusion/networks/z_image.h"

#include <algorithm>
#include <cctype>

#include "models/families/family_parts.h"
#include "models/qwen3_text.h"
#include "plain/errors.h"
#include "weights/original/original_z_image.h"

namespace sdgen {
namespace {

void check_widths(const Model& model, const Qwen3Config& text, const ZImageConfig& transformer) {
  const std::string file = model.source.config(model.denoiser).path.string();
  if (transformer.cap_feat_dim != text.hidden_size)
    fail_input(file, ": cap_feat_dim ", transformer.cap_feat_dim,
               " contradicts the text encoder's hidden_size ", text.hidden_size);
  if (transformer.in_channels != model.vae.latent_channels)
    fail_input(file, ": in_channels ", transformer.in_channels, " contradicts the VAE's latent_channels ",
               model.vae.latent_channels);
}

// No config tells Turbo, which is distilled to few steps without guidance, from Base: only what users call
// it.
bool is_turbo(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.find("turbo") != std::string::npos;
}

void open_z_image(const Family& family, Model& model) {
  const ModelSource& source = model.source;
  model.denoiser = family.denoiser;
  check_component(source.index(), model.denoiser, family.denoiser_class);
  const FamilyText& part = family.texts.front();
  // The same weights, with a head that speaks or without.
  if (!source.index().has(part.encoder) ||
      component_class(source.index(), part.encoder) != "Qwen3ForCausalLM")
    check_component(source.index(), part.encoder, part.class_name);
  warn_of_other_components(family, model, model.denoiser);
  read_vae_and_scheduler(model);
  if (model.scheduler.prediction_type != PredictionType::kFlow)
    fail_input(source.config("scheduler").path.string(), ": scheduler ", model.scheduler.class_name,
               " is no flow's; expected FlowMatchEulerDiscreteScheduler");
  model.scheduler.flow.given_sigmas = true;
  auto text = std::make_shared<Qwen3TextModel>();
  text->encoder = part.encoder;
  text->tokenizer = part.tokenizer;
  text->config = Qwen3Config::read(source.config(part.encoder));
  text->states = {-2};
  ZImageConfig transformer = ZImageConfig::read(source.config(model.denoiser));
  check_widths(model, text->config, transformer);
  model.text = std::move(text);
  model.network = std::make_shared<const ZImageModel>(std::move(transformer));
  model.guidance_from_zero = true;
  if (!is_turbo(model.name)) return;
  model.guidance_scale = 0.0;
  model.steps = 9;
}

// As the published model's repositories have them.
void configure_z_image(const OriginalFacts&, OriginalConfigs& configs) {
  configs.scheduler = {{"_class_name", "FlowMatchEulerDiscreteScheduler"},
                       {"num_train_timesteps", 1000},
                       {"use_dynamic_shifting", false},
                       {"shift", 3.0}};
  configs.vae = {{"sample_size", 1024}, {"scaling_factor", 0.3611}, {"shift_factor", 0.1159}};
}

}  // namespace

Family z_image_family() {
  return {.name = "Z-Image",
          .pipelines = {"ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"},
          .texts = {{"text_encoder", "Qwen3Model", "tokenizer", false, "Qwen2Tokenizer"}},
          .denoiser = "transformer",
          .denoiser_class = "ZImageTransformer2DModel",
          .guidance_scale = 5.0,
          .steps = 50,
          .open = open_z_image,
          .find_denoiser = z_image_tensors,
          .denoiser_config = z_image_config,
          .configure = configure_z_image};
}

}  // namespace sdgen
