// Latent consistency models ("Latent Consistency Models: Synthesizing High-Resolution Images with Few-Step
// Inference"): a UNet that is told the guidance scale.
#include "models/families/unet_family.h"

namespace sdgen {
Family lcm_family() {
  return {.name = "Latent Consistency Model",
          .pipelines = {"LatentConsistencyModelPipeline"},
          .texts = one_text(),
          .guidance_scale = 8.5,
          .steps = 4,
          .open = [](const Family& family, Model& model) { open_unet_family(family, model); }};
}

}  // namespace sdgen
