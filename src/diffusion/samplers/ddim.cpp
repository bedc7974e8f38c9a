// "Denoising Diffusion Implicit Models", eq. 12 and 16.
#include "diffusion/samplers/layout.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

Tensor sample_ddim(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, double eta,
                   double clip_x0, NoiseSource& noise, const StepCallback& on_step) {
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const auto [x0, eps] = estimate(denoiser, at, step);
    const double noise_scale = eta * std::sqrt(std::max(0.0, posterior_variance(step.from, step.to)));
    const double direction = std::sqrt(std::max(0.0, squared(step.to.sigma) - squared(noise_scale)));
    const Tensor next = step.to.alpha * clip(x0, clip_x0) + direction * eps;  // eq. 12
    return eta > 0 ? next + noise_scale * noise_like(next, noise) : next;
  });
}

SamplingPlan lay_out_ddim(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "ddim", shape.steps);
  require_supported(config, "ddim", {"thresholding", "variance_type"});
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  TrainedLevels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  if (!config.set_alpha_to_one.value_or(true)) levels.final_cumprod = levels.cumprod.front();
  SamplingPlan plan;
  // The step goes to t - T/N, not to the next timestep of the list.
  for (const double t : spaced_timesteps(config, spacing, shape.steps, false))
    add_step(plan, {t, levels.at(t), levels.at(t - config.num_train_timesteps / shape.steps)}, levels);
  plan.loop = [eta = shape.eta, clip_x0 = clip_range(config, true)](const Denoiser& denoiser, Tensor x,
                                                                    const auto& steps, NoiseSource& noise,
                                                                    const StepCallback& on_step) {
    return sample_ddim(denoiser, std::move(x), steps, eta, clip_x0, noise, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler ddim() {
  return {"ddim", "DDIMScheduler", {.zero_snr = true, .eta = true}, lay_out_ddim};
}

}  // namespace sdgen
