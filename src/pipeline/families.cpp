#include "pipeline/families.h"

#include "base/errors.h"

namespace sdgen {
namespace {

// diffusers' StableDiffusionPipeline takes configs that say otherwise for outdated and overrides them.
void adjust_stable_diffusion(SchedulerConfig& scheduler, UnetConfig& unet) {
  scheduler.steps_offset = 1;
  scheduler.clip_sample = false;
  if (unet.older_than_0_9 && unet.sample_height == unet.sample_width && unet.sample_height < 64)
    unet.sample_height = unet.sample_width = 64;
}

const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = {
      {"StableDiffusionPipeline",
       {{"text_encoder", "CLIPTextModel"}, {"unet", "UNet2DConditionModel"}, {"vae", "AutoencoderKL"}},
       {"tokenizer", "scheduler", "safety_checker", "feature_extractor", "image_encoder"},
       adjust_stable_diffusion},
  };
  return kFamilies;
}

}  // namespace

const Family& find_family(const std::string& pipeline_class, const std::string& file) {
  std::vector<std::string> known;
  for (const Family& family : families()) {
    if (family.pipeline_class == pipeline_class) return family;
    known.push_back(family.pipeline_class);
  }
  fail_input(file, ": ", unknown_name("pipeline class", pipeline_class, known));
}

}  // namespace sdgen
