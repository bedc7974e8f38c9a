// The second-order multistep method of "Refined Exponential Solver" (RES): exact for the linear part, in
// lambda = -log sigma, whatever alpha is. As other programs' res_multistep.
#include "diffusion/samplers/sigma_run.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

Tensor sample_res_multistep(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, NoiseSource&,
                            const StepCallback& on_step) {
  OutputHistory history(2);
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const double sigma = step.from.sigma, after = step.to.sigma;
    history.push(estimate(denoiser, at, step).x0, step.from);
    const Tensor& x0 = history[0].output;
    if (history.size() < 2 || after == 0.0) return at + ((after - sigma) / sigma) * (at - x0);
    const double h = std::log(sigma / after);
    const double back = std::log(sigma / history[1].level.sigma) / h;  // to the older point, below 0
    const double phi1 = -std::expm1(-h) / h, phi2 = (1.0 - phi1) / h;
    const double older = phi2 / back;
    return std::exp(-h) * at + h * ((phi1 - older) * x0 + older * history[1].output);
  });
}

SamplingPlan lay_out_res_multistep(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "res-multistep", shape.steps);
  SamplingPlan plan =
      config.prediction_type == PredictionType::kFlow
          ? flow_plan(config, shape)
          : plan_of(sigma_run(without_sigma_keys(config), SigmaTable(lifted_cumprod(config)), shape.steps));
  plan.loop = sample_res_multistep;
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler res_multistep() {
  return {.name = "res-multistep",
          .scheduler_class = "",
          .takes = {.schedules = true, .zero_snr = true, .flow = true},
          .lay_out = lay_out_res_multistep};
}

}  // namespace sdgen
