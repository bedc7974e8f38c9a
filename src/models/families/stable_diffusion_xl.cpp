// Stable Diffusion XL ("SDXL: Improving Latent Diffusion Models for High-Resolution Image Synthesis"), and
// Playground 2.5, which is one with EDM's schedule.
#include "models/families/unet_family.h"

namespace sdgen {
namespace {

// "Elucidating the Design Space of Diffusion-Based Generative Models".
Json edm_scheduler() {
  return {{"_class_name", "EDMDPMSolverMultistepScheduler"},
          {"num_train_timesteps", 1000},
          {"prediction_type", "epsilon"},
          {"sigma_min", 0.002},
          {"sigma_max", 80.0},
          {"sigma_data", 0.5},
          {"rho", 7.0},
          {"solver_order", 2},
          {"algorithm_type", "dpmsolver++"},
          {"solver_type", "midpoint"},
          {"lower_order_final", true},
          {"final_sigmas_type", "zero"}};
}

}  // namespace

bool is_xl(const OriginalFacts& facts) {
  return facts.text_time;
}

void configure_xl(const OriginalFacts& facts, OriginalConfigs& configs) {
  const Json beside = {{"interpolation_type", "linear"},
                       {"sample_max_value", 1.0},
                       {"timestep_spacing", "leading"},
                       {"use_karras_sigmas", false}};
  configs.scheduler = facts.markers.edm
                          ? edm_scheduler()
                          : original_scheduler("EulerDiscreteScheduler", facts.markers, false, beside);
  set_native_size(1024, 0.13025, configs);
  configs.model_index["force_zeros_for_empty_prompt"] = true;
}

Family stable_diffusion_xl_family() {
  return {.name = "Stable Diffusion XL",
          .pipelines = {"StableDiffusionXLPipeline"},
          .words = 2048,
          .texts = two_texts(),
          .guidance_scale = 5.0,
          .open = [](const Family& family, Model& model) { open_unet_family(family, model); },
          .is_original = is_xl,
          .configure = configure_xl};
}

}  // namespace sdgen
