// Models that change a picture as the prompt says ("InstructPix2Pix: Learning to Follow Image Editing
// Instructions"): the UNet sees its latents behind the noisy ones.
#include "models/families/unet_family.h"

namespace sdgen {
namespace {

bool takes_picture(const OriginalFacts& facts) {
  return facts.in_channels == 8;
}

void configure_pix2pix(const OriginalFacts& facts, OriginalConfigs& configs) {
  (is_2(facts) ? configure_2 : configure_1)(facts, configs);
  configs.scheduler["_class_name"] = "EulerAncestralDiscreteScheduler";
}

}  // namespace

Family instruct_pix2pix_family() {
  return {.name = "InstructPix2Pix",
          .pipelines = {"StableDiffusionInstructPix2PixPipeline"},
          .texts = one_text(),
          .open = [](const Family& family, Model& model) { open_unet_family(family, model); },
          .is_original = [](const OriginalFacts& f) { return !is_xl(f) && takes_picture(f); },
          .configure = configure_pix2pix};
}

Family instruct_pix2pix_xl_family() {
  return {.name = "InstructPix2Pix XL",
          .pipelines = {"StableDiffusionXLInstructPix2PixPipeline"},
          .texts = two_texts(),
          .guidance_scale = 5.0,
          .open = [](const Family& family, Model& model) { open_unet_family(family, model); },
          .is_original = [](const OriginalFacts& f) { return is_xl(f) && takes_picture(f); },
          .configure = configure_xl};
}

}  // namespace sdgen
