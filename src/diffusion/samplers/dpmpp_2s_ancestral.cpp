// "DPM-Solver++", algorithm 1 (2S) with ancestral noise (k-diffusion's sample_dpmpp_2s_ancestral).
#include "diffusion/samplers/sigma_run.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

Tensor sample_dpmpp_2s_ancestral(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                                 NoiseSource& noise, const StepCallback& on_step) {
  Anchor anchor;
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const bool is_first = is_first_evaluation(step);
    if (is_first) anchor = {at, step.from.sigma};
    const Tensor x0 = estimate(denoiser, at, step).x0;
    const AncestralStep ancestral = ancestral_step(anchor.sigma, step.to.sigma);
    const double target = is_first ? step.to.sigma : ancestral.down;
    const Tensor next = (target / anchor.sigma) * anchor.x + (1.0 - target / anchor.sigma) * x0;  // eq. 9
    return is_first ? next : next + ancestral.up * noise_like(next, noise);
  });
}

SamplingPlan lay_out_dpmpp_2s_ancestral(const SchedulerConfig& config, const RunShape& shape) {
  SamplingPlan plan = plan_with_middles(without_sigma_keys(config), "dpm++2s-a", true, shape);
  plan.loop = sample_dpmpp_2s_ancestral;
  return plan;
}

}  // namespace

Sampler dpmpp_2s_ancestral() {
  return {"dpm++2s-a", "", {.schedules = true}, lay_out_dpmpp_2s_ancestral};
}

}  // namespace sdgen
