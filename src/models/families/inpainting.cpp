// Models that paint inside a mask: the UNet sees the mask, and what lies outside of it, behind the latents.
#include "models/families/unet_family.h"

namespace sdgen {
namespace {

bool takes_mask(const OriginalFacts& facts) {
  return facts.in_channels == 9;
}

// The pipeline minds another key than the others do, and leaves clip_sample alone.
void adjust_inpainting(SchedulerConfig& scheduler, UnetConfig& unet) {
  const std::optional<bool> clip_sample = scheduler.clip_sample;
  adjust_stable_diffusion(scheduler, unet);
  scheduler.clip_sample = clip_sample;
  scheduler.skip_prk_steps = true;
}

void configure_inpainting(const OriginalFacts& facts, OriginalConfigs& configs) {
  (is_2(facts) ? configure_2 : configure_1)(facts, configs);
}

}  // namespace

Family inpainting_family() {
  return {
      .name = "Stable Diffusion inpainting",
      .pipelines = {"StableDiffusionInpaintPipeline"},
      .texts = one_text(),
      .open = [](const Family& family, Model& model) { open_unet_family(family, model, adjust_inpainting); },
      .is_original = [](const OriginalFacts& f) { return !is_xl(f) && takes_mask(f); },
      .configure = configure_inpainting};
}

Family inpainting_xl_family() {
  return {.name = "Stable Diffusion XL inpainting",
          .pipelines = {"StableDiffusionXLInpaintPipeline"},
          .texts = two_texts(),
          .open = [](const Family& family, Model& model) { open_unet_family(family, model); },
          .is_original = [](const OriginalFacts& f) { return is_xl(f) && takes_mask(f); },
          .configure = configure_xl};
}

}  // namespace sdgen
