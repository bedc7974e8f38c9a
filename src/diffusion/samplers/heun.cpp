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

// Along the velocity.
Tensor sample_flow_heun(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, NoiseSource&,
                        const StepCallback& on_step) {
  Anchor anchor;
  Tensor first;
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const auto [x0, eps] = estimate(denoiser, at, step);
    const Tensor velocity = eps - x0;
    if (!is_first_evaluation(step))
      return anchor.x + (0.5 * (step.to.sigma - anchor.sigma)) * (first + velocity);
    anchor = {at, step.from.sigma};
    first = velocity;
    return at + (step.to.sigma - step.from.sigma) * velocity;
  });
}

// `once`: of one evaluation a step.
SamplingPlan twice_a_step(const SamplingPlan& once) {
  SamplingPlan plan;
  plan.entries_per_step = 2;
  for (std::size_t i = 0; i < once.steps.size(); ++i) {
    plan.entries.push_back(once.entries[i]);
    plan.steps.push_back(once.steps[i]);
    if (i + 1 == once.steps.size()) break;  // nothing to learn at sigma 0
    const Level& to = once.steps[i].to;
    plan.entries.push_back(once.entries[i + 1]);
    plan.steps.push_back({once.entries[i + 1].timestep, to, to});
  }
  return plan;
}

SamplingPlan lay_out_heun(const SchedulerConfig& silent, const RunShape& shape) {
  require_steps(silent, "heun", shape.steps);
  if (silent.prediction_type == PredictionType::kFlow) {
    SamplingPlan plan = twice_a_step(flow_plan(silent, shape));
    plan.loop = sample_flow_heun;
    return cut(std::move(plan), shape.range);
  }
  const SchedulerConfig config = with_betas(without_sigma_keys(silent), 0.00085, 0.012, "linear");
  const SigmaRun run = sigma_run(config, SigmaTable(alphas_cumprod(config, false)), shape.steps);
  SamplingPlan plan = twice_a_step(plan_of(run));
  plan.initial_noise_scale = run.initial_noise_scale;
  plan.loop = [clip_x0 = clip_range(config, false)](const Denoiser& denoiser, Tensor x, const auto& steps,
                                                    NoiseSource&, const StepCallback& on_step) {
    return sample_heun(denoiser, std::move(x), steps, clip_x0, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler heun() {
  return {.name = "heun",
          .scheduler_class = "HeunDiscreteScheduler",
          .takes = {.schedules = true, .flow = true},
          .lay_out = lay_out_heun,
          .flow_class = "FlowMatchHeunDiscreteScheduler"};
}

}  // namespace sdgen
