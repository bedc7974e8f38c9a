// "DPM-Solver", algorithm 1 (its second-order solver) in sigma, without and with ancestral noise
// (k-diffusion's sample_dpm_2, sample_dpm_2_ancestral).
#include "diffusion/samplers/sigma_run.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

// Along the derivative of a point between; with ancestral noise only down to where noise leads back up.
Tensor sample_dpm2(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, NoiseSource* noise,
                   const StepCallback& on_step) {
  Anchor anchor;
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const Tensor eps = estimate(denoiser, at, step).eps;
    if (is_first_evaluation(step)) {
      anchor = {at, step.from.sigma};
      return at + (step.to.sigma - step.from.sigma) * eps;
    }
    if (!noise) return anchor.x + (step.to.sigma - anchor.sigma) * eps;
    const auto [down, up] = ancestral_step(anchor.sigma, step.to.sigma);
    const Tensor next = anchor.x + (down - anchor.sigma) * eps;
    return next + up * noise_like(next, *noise);
  });
}

SamplingPlan lay_out_dpm2(const SchedulerConfig& silent, const RunShape& shape, const std::string& sampler,
                          bool ancestral) {
  if (silent.prediction_type == PredictionType::kSample)
    fail_request("sampler ", sampler,
                 " cannot sample a model that predicts the sample; use heun, ddim or euler");
  const SchedulerConfig config = with_betas(without_sigma_keys(silent), 0.00085, 0.012, "linear");
  SamplingPlan plan = plan_with_middles(config, sampler, ancestral, shape);
  plan.loop = [ancestral](const Denoiser& denoiser, Tensor x, const auto& steps, NoiseSource& noise,
                          const StepCallback& on_step) {
    return sample_dpm2(denoiser, std::move(x), steps, ancestral ? &noise : nullptr, on_step);
  };
  return plan;
}

}  // namespace

Sampler dpm2() {
  return {"dpm2",
          "KDPM2DiscreteScheduler",
          {.schedules = true},
          [](const SchedulerConfig& config, const RunShape& shape) {
            return lay_out_dpm2(config, shape, "dpm2", false);
          }};
}

Sampler dpm2_ancestral() {
  return {"dpm2-a",
          "KDPM2AncestralDiscreteScheduler",
          {.schedules = true},
          [](const SchedulerConfig& config, const RunShape& shape) {
            return lay_out_dpm2(config, shape, "dpm2-a", true);
          }};
}

}  // namespace sdgen
