// "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 2 without churn and without
// its second evaluation; with ancestral noise k-diffusion's sample_euler_ancestral. Of flows: along the
// velocity.
#include "diffusion/samplers/sigma_run.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

Tensor sample_euler(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, NoiseSource&,
                    const StepCallback& on_step) {
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    return at + (step.to.sigma - step.from.sigma) * estimate(denoiser, at, step).eps;
  });
}

Tensor sample_flow_euler(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, NoiseSource&,
                         const StepCallback& on_step) {
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const auto [x0, eps] = estimate(denoiser, at, step);
    return at + (step.to.sigma - step.from.sigma) * (eps - x0);
  });
}

Tensor sample_euler_ancestral(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                              NoiseSource& noise, const StepCallback& on_step) {
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const auto [down, up] = ancestral_step(step.from.sigma, step.to.sigma);
    const Tensor next = at + (down - step.from.sigma) * estimate(denoiser, at, step).eps;
    return next + up * noise_like(next, noise);
  });
}

SamplingPlan lay_out_flow_euler(const SchedulerConfig& config, const RunShape& shape) {
  SamplingPlan plan = flow_plan(config, shape);
  plan.loop = sample_flow_euler;
  return cut(std::move(plan), shape.range);
}

SamplingPlan lay_out_euler(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "euler", shape.steps);
  if (config.prediction_type == PredictionType::kFlow) return lay_out_flow_euler(config, shape);
  SchedulerConfig known = config;
  if (known.sigma_schedule == SigmaSchedule::kLu) known.sigma_schedule = SigmaSchedule::kTimesteps;
  SigmaRun run = sigma_run(known, SigmaTable(lifted_cumprod(config)), shape.steps);
  if (config.continuous_timesteps && config.prediction_type == PredictionType::kVPrediction) {
    run.timesteps.clear();
    for (std::size_t i = 0; i + 1 < run.sigmas.size(); ++i)
      run.timesteps.push_back(0.25 * std::log(run.sigmas[i]));
  }
  SamplingPlan plan = plan_of(run);
  plan.loop = sample_euler;
  return cut(std::move(plan), shape.range);
}

SamplingPlan lay_out_euler_ancestral(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "euler-a", shape.steps);
  SchedulerConfig known = without_sigma_keys(config);
  known.sigma_schedule = SigmaSchedule::kTimesteps;
  SamplingPlan plan = plan_of(sigma_run(known, SigmaTable(lifted_cumprod(config)), shape.steps));
  plan.loop = sample_euler_ancestral;
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler euler() {
  return {.name = "euler",
          .scheduler_class = "EulerDiscreteScheduler",
          .takes = {.schedules = true, .zero_snr = true, .flow = true},
          .lay_out = lay_out_euler,
          .flow_class = "FlowMatchEulerDiscreteScheduler"};
}

Sampler euler_ancestral() {
  return {"euler-a", "EulerAncestralDiscreteScheduler", {.zero_snr = true}, lay_out_euler_ancestral};
}

}  // namespace sdgen
