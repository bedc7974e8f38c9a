#include "models/families.h"

#include "plain/errors.h"

namespace sdgen {
namespace {

// diffusers' Stable Diffusion pipelines take configs that say otherwise for outdated and override them.
void adjust_stable_diffusion(SchedulerConfig& scheduler, UnetConfig& unet) {
  scheduler.steps_offset = 1;
  scheduler.clip_sample = false;
  if (unet.older_than_0_9 && unet.sample_height == unet.sample_width && unet.sample_height < 64)
    unet.sample_height = unet.sample_width = 64;
}

// The inpainting pipeline minds another key, and leaves clip_sample alone.
void adjust_inpainting(SchedulerConfig& scheduler, UnetConfig& unet) {
  const std::optional<bool> clip_sample = scheduler.clip_sample;
  adjust_stable_diffusion(scheduler, unet);
  scheduler.clip_sample = clip_sample;
  scheduler.skip_prk_steps = true;
}

void adjust_nothing(SchedulerConfig&, UnetConfig&) {}

const std::vector<Family>& families() {
  static const std::vector<FamilyText> kOne = {{"text_encoder", "CLIPTextModel", "tokenizer"}};
  // The refiner has the second only.
  static const std::vector<FamilyText> kTwo = {
      {"text_encoder", "CLIPTextModel", "tokenizer", /*optional=*/true},
      {"text_encoder_2", "CLIPTextModelWithProjection", "tokenizer_2"}};
  constexpr TextStatesUsed kLast = TextStatesUsed::kLast, kBeforeLast = TextStatesUsed::kBeforeLast;
  static const std::vector<Family> kFamilies = {
      {"StableDiffusionPipeline", kOne, kLast, 7.5, 30, adjust_stable_diffusion},
      {"StableDiffusionImg2ImgPipeline", kOne, kLast, 7.5, 30, adjust_stable_diffusion},
      {"StableDiffusionInpaintPipeline", kOne, kLast, 7.5, 30, adjust_inpainting},
      {"StableDiffusionInstructPix2PixPipeline", kOne, kLast, 7.5, 30, adjust_nothing},
      {"LatentConsistencyModelPipeline", kOne, kLast, 8.5, 4, adjust_nothing},
      {"StableDiffusionXLPipeline", kTwo, kBeforeLast, 5.0, 30, adjust_nothing},
      {"StableDiffusionXLImg2ImgPipeline", kTwo, kBeforeLast, 5.0, 30, adjust_nothing},
      {"StableDiffusionXLInpaintPipeline", kTwo, kBeforeLast, 7.5, 30, adjust_nothing},
  };
  return kFamilies;
}

}  // namespace

const std::vector<std::string>& ignored_components() {
  static const std::vector<std::string> kIgnored = {"scheduler", "safety_checker", "feature_extractor",
                                                    "image_encoder"};
  return kIgnored;
}

const Family& find_family(const std::string& pipeline_class, const std::string& file) {
  std::vector<std::string> known;
  for (const Family& family : families()) {
    if (family.pipeline_class == pipeline_class) return family;
    known.push_back(family.pipeline_class);
  }
  fail_input(file, ": ", unknown_name("pipeline class", pipeline_class, known));
}

}  // namespace sdgen
