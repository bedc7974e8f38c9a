// "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 2 without churn: Heun's
// method.
#include "diffusion/samplers/sigma_run.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

Tensor sample_heun(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, double clip_x0,
                   const StepCallback& on_step) {
  Anchor anchor;
  Tensor first_eps;
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    Estimate here = estimate(denoiser, at, step);
    if (clip_x0 > 0) here.eps = (at - clip(here.x0, clip_x0)) / step.from.sigma;
    if (!is_first_evaluation(step))
      return anchor.x + (0.5 * (step.to.sigma - anchor.sigma)) * (first_eps + here.eps);
    anchor = {at, step.from.sigma};
    first_eps = here.eps;
    return at + (step.to.sigma - step.from.sigma) * here.eps;
  });
}

SamplingPlan lay_out_heun(const SchedulerConfig& silent, const RunShape& shape) {
  require_steps(silent, "heun", shape.steps);
  const SchedulerConfig config = with_betas(without_sigma_keys(silent), 0.00085, 0.012, "linear");
  const SigmaRun run = sigma_run(config, SigmaTable(alphas_cumprod(config, false)), shape.steps);
  SamplingPlan plan;
  plan.entries_per_step = 2;
  plan.initial_noise_scale = run.initial_noise_scale;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    const Level from{1.0, run.sigmas[i]}, to{1.0, run.sigmas[i + 1]};
    plan.entries.push_back({run.timesteps[i], from});
    plan.steps.push_back({run.timesteps[i], from, to});
    if (i + 1 == run.timesteps.size()) break;  // nothing to learn at sigma 0
    plan.entries.push_back({run.timesteps[i + 1], to});
    plan.steps.push_back({run.timesteps[i + 1], to, to});
  }
  plan.loop = [clip_x0 = clip_range(config, false)](const Denoiser& denoiser, Tensor x, const auto& steps,
                                                    NoiseSource&, const StepCallback& on_step) {
    return sample_heun(denoiser, std::move(x), steps, clip_x0, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler heun() {
  return {"heun", "HeunDiscreteScheduler", {.schedules = true}, lay_out_heun};
}

}  // namespace sdgen
