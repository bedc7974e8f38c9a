// "Fast Sampling of Diffusion Models with Exponential Integrator", tAB-DEIS with polynomials in log rho.
#include "diffusion/samplers/solver_run.h"

namespace sdgen {
namespace {

double rho_of(const Level& level) {
  return level.sigma / level.alpha;
}

// The integral over rho from `low` to `high` of the polynomial in log rho that is 1 at rhos[which] and 0 at
// the other ones (eq. 15): for u = log rho, 1, u and u^2 have the antiderivatives rho, rho (u - 1) and
// rho (u^2 - 2u + 2).
double deis_weight(const std::vector<double>& rhos, std::size_t which, double low, double high) {
  double constant = 1.0, linear = 0.0, square = 0.0;  // of the polynomial's product so far
  for (std::size_t k = 0; k < rhos.size(); ++k) {
    if (k == which) continue;
    const double zero = std::log(rhos[k]), scale = std::log(rhos[which]) - zero;
    square = (linear - zero * square) / scale;
    linear = (constant - zero * linear) / scale;
    constant = -zero * constant / scale;
  }
  const auto antiderivative = [&](double rho) {
    const double u = std::log(rho);
    return rho * (constant + linear * (u - 1.0) + square * (u * u - 2.0 * u + 2.0));
  };
  return antiderivative(high) - antiderivative(low);
}

Tensor sample_deis(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const std::vector<std::size_t>& orders, const StepCallback& on_step) {
  OutputHistory eps(3);
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    eps.push(estimate(denoiser, at, step).eps, step.from);
    std::vector<double> rhos;
    for (std::size_t age = 0; age < std::min(orders[step.index], eps.size()); ++age)
      rhos.push_back(rho_of(eps[age].level));
    Tensor next = at / step.from.alpha;
    for (std::size_t age = 0; age < rhos.size(); ++age)
      next = next + deis_weight(rhos, age, rho_of(step.from), rho_of(step.to)) * eps[age].output;
    return step.to.alpha * next;
  });
}

SamplingPlan lay_out_deis(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "deis", shape.steps);
  require_supported(config, "deis", {"thresholding", "use_flow_sigmas"});
  const SolverRules rules{.may_end_at_zero = false, .repeats_last = true};
  SamplingPlan plan = solver_plan(config, SigmaTable(alphas_cumprod(config, false)), shape.steps, rules);
  plan.loop = [orders = multistep_orders(plan.steps.size(), config.solver_order,
                                         config.lower_order_final.value_or(true), false)](
                  const Denoiser& denoiser, Tensor x, const auto& steps, NoiseSource&,
                  const StepCallback& on_step) {
    return sample_deis(denoiser, std::move(x), steps, orders, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler deis() {
  return {"deis", "DEISMultistepScheduler", {.schedules = true}, lay_out_deis};
}

}  // namespace sdgen
