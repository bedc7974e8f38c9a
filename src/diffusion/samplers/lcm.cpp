// "Latent Consistency Models", eq. 9 and algorithm 3: the picture, then noise again.
#include "diffusion/samplers/layout.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

Tensor sample_lcm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, double timestep_scaling,
                  double clip_x0, NoiseSource& noise, const StepCallback& on_step) {
  constexpr double kSigmaData = 0.5;
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const double time = step.timestep * timestep_scaling;
    const double norm = squared(time) + squared(kSigmaData);
    const Tensor x0 = clip(estimate(denoiser, at, step).x0, clip_x0);
    const Tensor picture = (time / std::sqrt(norm)) * x0 + (squared(kSigmaData) / norm) * at;  // eq. 9
    if (step.to.sigma == 0) return picture;
    return step.to.alpha * picture + step.to.sigma * noise_like(picture, noise);
  });
}

SamplingPlan lay_out_lcm(const SchedulerConfig& silent, const RunShape& shape) {
  const SchedulerConfig config = with_betas(silent, 0.00085, 0.012, "scaled_linear");
  require_supported(config, "lcm", {"thresholding"});
  const TrainedLevels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  const std::vector<double> timesteps = distilled_timesteps(config, "lcm", shape.steps);
  SamplingPlan plan;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const Level to = i + 1 < timesteps.size() ? levels.at(timesteps[i + 1]) : Level{};
    add_step(plan, {timesteps[i], levels.at(timesteps[i]), to}, levels);
  }
  plan.loop = [scaling = config.timestep_scaling, clip_x0 = clip_range(config, false)](
                  const Denoiser& denoiser, Tensor x, const auto& steps, NoiseSource& noise,
                  const StepCallback& on_step) {
    return sample_lcm(denoiser, std::move(x), steps, scaling, clip_x0, noise, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler lcm() {
  return {"lcm", "LCMScheduler", {.spacing = false, .zero_snr = true}, lay_out_lcm};
}

}  // namespace sdgen
