// Stable Diffusion 1 ("High-Resolution Image Synthesis with Latent Diffusion Models").
#include "models/families/unet_family.h"

namespace sdgen {
void configure_1(const OriginalFacts& facts, OriginalConfigs& configs) {
  configs.scheduler = original_scheduler("PNDMScheduler", facts.markers);
  set_native_size(512, 0.18215, configs);
  without_safety_checker(configs);
}

Family stable_diffusion_1_family() {
  return {.name = "Stable Diffusion 1.x",
          .pipelines = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"},
          .words = 768,
          .texts = one_text(),
          .open = [](const Family& family,
                     Model& model) { open_unet_family(family, model, adjust_stable_diffusion); },
          .is_original = [](const OriginalFacts& facts) { return !is_xl(facts) && !is_2(facts); },
          .configure = configure_1};
}

}  // namespace sdgen
