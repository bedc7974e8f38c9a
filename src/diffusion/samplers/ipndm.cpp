// Improved PNDM: "Pseudo Numerical Methods for Diffusion Models on Manifolds", eq. 12, without a Runge-Kutta
// start, on a schedule of its own in continuous time (diffusers' IPNDMScheduler, v-diffusion's plms).
#include <numbers>

#include "diffusion/samplers/layout.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

constexpr double kSmallestAlpha = 1e-8;

// The class takes every output for v, whatever the model was trained to predict.
Tensor sample_ipndm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, NoiseSource&,
                    const StepCallback& on_step) {
  std::deque<Tensor> outputs;  // eps, the newest four
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    outputs.push_back(step.from.sigma * at + step.from.alpha * denoiser.output(at, step));
    if (outputs.size() > 4) outputs.pop_front();
    const Tensor eps = linear_multistep(outputs);
    const Tensor x0 = (at - step.from.sigma * eps) / std::max(step.from.alpha, kSmallestAlpha);
    return step.to.alpha * x0 + step.to.sigma * eps;
  });
}

SamplingPlan lay_out_ipndm(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "ipndm", shape.steps);
  if (!config.trained_betas.empty())
    fail_input(
        "scheduler_config.json: trained_betas: sampler ipndm has its own schedule; use --sampler euler");
  const auto level_at = [&](int step) {
    const double sigma =
        squared(std::sin((1.0 - static_cast<double>(step) / shape.steps) * std::numbers::pi / 2));
    return Level{std::sqrt(1.0 - squared(sigma)), sigma};
  };
  SamplingPlan plan;
  for (int i = 0; i < shape.steps; ++i) {
    const Level from = level_at(i);
    const double timestep = std::atan2(from.sigma, from.alpha) / std::numbers::pi * 2;
    plan.entries.push_back({timestep, from});
    plan.steps.push_back({timestep, from, level_at(i + 1)});
  }
  plan.loop = sample_ipndm;
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler ipndm() {
  return {"ipndm", "IPNDMScheduler", {.spacing = false}, lay_out_ipndm};
}

}  // namespace sdgen
