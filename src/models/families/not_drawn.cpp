// Models that are told apart from those that sd-gen draws with, so that they are refused by name.
#include "models/families/unet_family.h"

namespace sdgen {
namespace {

void configure_not_drawn(const OriginalFacts& facts, OriginalConfigs& configs) {
  (is_xl(facts) ? configure_xl : is_2(facts) ? configure_2 : configure_1)(facts, configs);
}

}  // namespace

Family upscaler_family() {
  constexpr std::int64_t kChannels = 7;  // the small picture behind the latents
  return {.name = "Stable Diffusion upscaler",
          .pipelines = {"StableDiffusionUpscalePipeline"},
          .texts = one_text(),
          .is_original = [](const OriginalFacts& f) { return f.in_channels == kChannels || f.noise_level; },
          .configure = configure_not_drawn};
}

Family depth_to_image_family() {
  constexpr std::int64_t kChannels = 5;
  return {.name = "Stable Diffusion depth to image",
          .pipelines = {"StableDiffusionDepth2ImgPipeline"},
          .texts = one_text(),
          .is_original = [](const OriginalFacts& f) { return f.in_channels == kChannels; },
          .configure = configure_not_drawn};
}

Family unclip_family() {
  return {.name = "Stable unCLIP",
          .pipelines = {"StableUnCLIPPipeline"},
          .texts = one_text(),
          .is_original = [](const OriginalFacts& f) { return f.class_embedding; },
          .configure = configure_not_drawn};
}

}  // namespace sdgen
