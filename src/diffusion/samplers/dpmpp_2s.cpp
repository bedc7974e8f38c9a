// "DPM-Solver++", algorithm 1 (2S) and "DPM-Solver", algorithm 2, with one evaluation a step: the solver's
// order goes 1, 2(, 3), 1, 2(, 3).
#include "diffusion/samplers/solver_run.h"

namespace sdgen {
namespace {

// 2S and 3S: from where the group of steps set out, over what was learnt within it.
Tensor singlestep_update(const OutputHistory& x0, const Tensor& x, const Level& to, std::size_t order,
                         bool heun) {
  const OutputHistory::Entry& start = x0[order - 1];
  const Integrator way(start.level, to, false);
  Tensor result = way.x_weight * x + way.first() * start.output;
  if (order < 2) return result;
  const double r0 = (lambda(x0[0].level) - lambda(start.level)) / way.h;
  const Tensor slope = (x0[0].output - start.output) / r0;
  if (order == 2) return result + (heun ? way.second() : 0.5 * way.first()) * slope;
  if (!heun) return result + way.second() * slope;
  const double r1 = (lambda(x0[1].level) - lambda(start.level)) / way.h;
  const Tensor early_slope = (x0[1].output - start.output) / r1;
  const Tensor first = (r0 * early_slope - r1 * slope) / (r0 - r1);
  const Tensor curvature = 2.0 * (slope - early_slope) / (r0 - r1);
  return result + way.second() * first + way.third() * curvature;
}

Tensor sample_dpmpp_2s(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                       const std::vector<std::size_t>& orders, bool heun, const StepCallback& on_step) {
  OutputHistory history(3);
  Tensor start = x;  // of the group
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    history.push(estimate(denoiser, at, step).x0, step.from);
    const std::size_t order = std::min(orders[step.index], history.size());
    if (order == 1) start = at;
    return singlestep_update(history, start, step.to, order, heun);
  });
}

// The last step is Euler's where the config, an unfinished group or a final sigma of 0 wants that.
std::vector<std::size_t> singlestep_orders(std::size_t count, const SchedulerConfig& config) {
  const std::size_t order = static_cast<std::size_t>(config.solver_order);
  std::vector<std::size_t> orders(count);
  for (std::size_t i = 0; i < count; ++i) orders[i] = i % order + 1;
  const bool is_whole = count % order == 0;
  if (config.final_sigma_is_zero || (is_whole && config.lower_order_final.value_or(false))) orders.back() = 1;
  return orders;
}

SamplingPlan lay_out_dpmpp_2s(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "dpm++2s", shape.steps);
  require_supported(config, "dpm++2s", {"thresholding", "variance_type", "use_flow_sigmas"});
  const SolverRules rules{.spacings = false, .clips_lambda = true};
  SamplingPlan plan = solver_plan(config, SigmaTable(alphas_cumprod(config, false)), shape.steps, rules);
  plan.loop = [orders = singlestep_orders(plan.steps.size(), config), heun = config.solver_type == "heun"](
                  const Denoiser& denoiser, Tensor x, const auto& steps, NoiseSource&,
                  const StepCallback& on_step) {
    return sample_dpmpp_2s(denoiser, std::move(x), steps, orders, heun, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler dpmpp_2s() {
  return {"dpm++2s",
          "DPMSolverSinglestepScheduler",
          {.schedules = true, .spacing = false},
          lay_out_dpmpp_2s,
          [](const SchedulerConfig& config) {
            return config.algorithm_type != "dpmsolver" && config.algorithm_type != "sde-dpmsolver++";
          }};
}

}  // namespace sdgen
