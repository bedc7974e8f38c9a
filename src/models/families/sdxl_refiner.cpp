// Stable Diffusion XL's refiner: its second text encoder alone, and a score of beauty instead of the target
// size.
#include "models/families/unet_family.h"

namespace sdgen {
namespace {

constexpr std::int64_t kRefinerWords = 1280;

bool is_refiner(const OriginalFacts& facts) {
  return is_xl(facts) && (facts.conditioner ? !facts.first_text : facts.words == kRefinerWords);
}

void configure_refiner(const OriginalFacts& facts, OriginalConfigs& configs) {
  configure_xl(facts, configs);
  configs.model_index["force_zeros_for_empty_prompt"] = false;
  configs.model_index["requires_aesthetics_score"] = true;
}

}  // namespace

// The class is that of any XL pipeline that begins with a picture.
Family sdxl_refiner_family() {
  return {.name = "Stable Diffusion XL refiner",
          .pipelines = {"StableDiffusionXLImg2ImgPipeline"},
          .words = kRefinerWords,
          .texts = two_texts(),
          .guidance_scale = 5.0,
          .open = [](const Family& family, Model& model) { open_unet_family(family, model); },
          .is_original = is_refiner,
          .configure = configure_refiner,
          .left_out = {"text_encoder"}};
}

}  // namespace sdgen
