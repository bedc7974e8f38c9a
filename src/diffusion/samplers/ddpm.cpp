// "Denoising Diffusion Probabilistic Models", eq. 6 and 7.
#include "diffusion/samplers/layout.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

double ddpm_noise_scale(const Step& step, VarianceType type) {
  const double variance = std::max(posterior_variance(step.from, step.to), 1e-20);
  switch (type) {
    case VarianceType::kFixedSmall:
    case VarianceType::kFixedSmallLog:
      return std::sqrt(variance);
    case VarianceType::kFixedLarge:
      return std::sqrt(1.0 - squared(step.from.alpha) / squared(step.to.alpha));
  }
  return 0.0;
}

Tensor sample_ddpm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   VarianceType variance_type, double clip_x0, NoiseSource& noise,
                   const StepCallback& on_step) {
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const Tensor x0 = clip(estimate(denoiser, at, step).x0, clip_x0);
    const double alpha_ratio = squared(step.from.alpha) / squared(step.to.alpha);  // alpha_t of the paper
    const double x0_weight = step.to.alpha * (1.0 - alpha_ratio) / squared(step.from.sigma);
    const double x_weight = std::sqrt(alpha_ratio) * squared(step.to.sigma) / squared(step.from.sigma);
    const Tensor next = x0_weight * x0 + x_weight * at;  // eq. 7
    return step.timestep > 0 ? next + ddpm_noise_scale(step, variance_type) * noise_like(next, noise) : next;
  });
}

SamplingPlan lay_out_ddpm(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "ddpm", shape.steps);
  require_supported(config, "ddpm", {"thresholding", "variance_type"});
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  const TrainedLevels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  const std::vector<double> timesteps = spaced_timesteps(config, spacing, shape.steps, false);
  SamplingPlan plan;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double next = i + 1 < timesteps.size() ? timesteps[i + 1] : -1;
    add_step(plan, {timesteps[i], levels.at(timesteps[i]), levels.at(next)}, levels);
  }
  plan.loop = [type = config.variance_type, clip_x0 = clip_range(config, true)](
                  const Denoiser& denoiser, Tensor x, const auto& steps, NoiseSource& noise,
                  const StepCallback& on_step) {
    return sample_ddpm(denoiser, std::move(x), steps, type, clip_x0, noise, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler ddpm() {
  return {"ddpm", "DDPMScheduler", {.zero_snr = true}, lay_out_ddpm};
}

}  // namespace sdgen
