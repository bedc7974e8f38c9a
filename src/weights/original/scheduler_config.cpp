#include "weights/original/scheduler_config.h"

#include <algorithm>
#include <cctype>

#include "weights/shapes.h"

namespace sdgen {
namespace {

constexpr std::int64_t kFirstSd2BaseStep = 875000;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string text_at(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : lower(found->second);
}

std::int64_t global_step(const TensorSource& source, const Metadata& metadata) {
  if (const TensorInfo* info = source.find("global_step"); info && info->dtype == at::kLong)
    if (const at::Tensor step = source.read("global_step"); step.numel() == 1)
      return step.item<std::int64_t>();
  const std::string text = text_at(metadata, "global_step");
  return text == std::to_string(kFirstSd2BaseStep) ? kFirstSd2BaseStep : 0;
}

bool is_v_prediction(const TensorSource& source, Generation generation, bool is_inpainting) {
  const Metadata metadata = source.metadata();
  if (has_tensor(source, "v_pred") || has_tensor(source, "ztsnr")) return true;
  if (const std::string type = text_at(metadata, "modelspec.prediction_type"); !type.empty())
    return type.starts_with("v");
  const std::string architecture = text_at(metadata, "modelspec.architecture");
  if (architecture.starts_with("stable-diffusion-v2-")) return architecture.ends_with("-v");
  return generation == Generation::k2 && !is_inpainting && global_step(source, metadata) != kFirstSd2BaseStep;
}

std::string class_name(Generation generation, const std::string& pipeline_class, bool is_v) {
  if (generation == Generation::kXl) return "EulerDiscreteScheduler";
  if (pipeline_class == "StableDiffusionInstructPix2PixPipeline") return "EulerAncestralDiscreteScheduler";
  return generation == Generation::k2 && is_v ? "DDIMScheduler" : "PNDMScheduler";
}

// "Elucidating the Design Space of Diffusion-Based Generative Models", as Playground 2.5 is trained.
Json edm_config() {
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

Json scheduler_config(const TensorSource& source, Generation generation, const std::string& pipeline_class) {
  if (has_tensor(source, "edm_mean")) return edm_config();
  const bool is_inpainting = pipeline_class.find("Inpaint") != std::string::npos;
  const bool is_v = is_v_prediction(source, generation, is_inpainting);
  Json config = {{"_class_name", class_name(generation, pipeline_class, is_v)},
                 {"beta_start", 0.00085},
                 {"beta_end", 0.012},
                 {"beta_schedule", "scaled_linear"},
                 {"num_train_timesteps", 1000},
                 {"trained_betas", nullptr},
                 {"prediction_type", is_v ? "v_prediction" : "epsilon"},
                 {"steps_offset", 1},
                 {"set_alpha_to_one", false},
                 {"skip_prk_steps", true},
                 {"clip_sample", false}};
  if (generation == Generation::kXl)
    config.update({{"interpolation_type", "linear"},
                   {"sample_max_value", 1.0},
                   {"timestep_spacing", "leading"},
                   {"use_karras_sigmas", false}});
  // "Common Diffusion Noise Schedules and Sample Steps are Flawed": no signal at the last step, which is then
  // visited.
  if (has_tensor(source, "ztsnr"))
    config.update({{"rescale_betas_zero_snr", true}, {"timestep_spacing", "trailing"}});
  return config;
}

}  // namespace sdgen
