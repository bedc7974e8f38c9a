// Stable Diffusion 2: OpenCLIP's words, and v-prediction in the models for 768 pixels.
#include "models/families/unet_family.h"

namespace sdgen {
bool is_2(const OriginalFacts& facts) {
  return !is_xl(facts) && facts.linear_projection;
}

void configure_2(const OriginalFacts& facts, OriginalConfigs& configs) {
  constexpr std::int64_t kInpainting = 9;  // channels; trained from the base model for 512 pixels
  const bool by_default = facts.in_channels != kInpainting && !facts.markers.first_sd2_base;
  configs.scheduler = original_scheduler("PNDMScheduler", facts.markers, by_default);
  const bool is_large = configs.scheduler.at("prediction_type") == "v_prediction";
  if (is_large) configs.scheduler["_class_name"] = "DDIMScheduler";
  if (is_large) configs.unet["upcast_attention"] = true;
  set_native_size(is_large ? 768 : 512, 0.18215, configs);
  without_safety_checker(configs);
}

Family stable_diffusion_2_family() {
  return {.name = "Stable Diffusion 2.x",
          .pipelines = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"},
          .words = 1024,
          .texts = one_text(),
          .open = [](const Family& family,
                     Model& model) { open_unet_family(family, model, adjust_stable_diffusion); },
          .is_original = is_2,
          .configure = configure_2};
}

}  // namespace sdgen
