// Linear multistep: Adams-Bashforth on uneven sigmas (k-diffusion's sample_lms).
#include "diffusion/samplers/sigma_run.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

constexpr std::size_t kHighestOrder = 4;

// The integral from sigmas[i] to sigmas[i + 1] of the polynomial that is 1 at sigmas[i - which] and 0 at the
// other ones of the newest `order`. Two Gauss-Legendre points are exact up to third degree.
double lms_weight(const std::vector<double>& sigmas, std::size_t i, std::size_t order, std::size_t which) {
  const double middle = 0.5 * (sigmas[i] + sigmas[i + 1]), half = 0.5 * (sigmas[i + 1] - sigmas[i]);
  double sum = 0.0;
  for (const double sign : {-1.0, 1.0}) {
    const double sigma = middle + sign * half / std::sqrt(3.0);
    double product = 1.0;
    for (std::size_t k = 0; k < order; ++k)
      if (k != which) product *= (sigma - sigmas[i - k]) / (sigmas[i - which] - sigmas[i - k]);
    sum += half * product;
  }
  return sum;
}

// `weights`: of each step of the whole run those of the newest derivatives, the newest first.
Tensor sample_lms(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                  const std::vector<std::vector<double>>& weights, const StepCallback& on_step) {
  OutputHistory derivatives(kHighestOrder);
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    derivatives.push(estimate(denoiser, at, step).eps, step.from);
    Tensor next = at;
    // A run that begins late has fewer derivatives than weights; the reference leaves these out.
    const std::vector<double>& own = weights[step.index];
    for (std::size_t age = 0; age < std::min(own.size(), derivatives.size()); ++age)
      next = next + own[age] * derivatives[age].output;
    return next;
  });
}

SamplingPlan lay_out_lms(const SchedulerConfig& silent, const RunShape& shape) {
  require_steps(silent, "lms", shape.steps);
  const SchedulerConfig config = without_sigma_keys(silent);
  const SigmaRun run = sigma_run(config, SigmaTable(alphas_cumprod(config, false)), shape.steps);
  SamplingPlan plan = plan_of(run);
  std::vector<std::vector<double>> weights(plan.steps.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t order = std::min(i + 1, kHighestOrder);
    for (std::size_t which = 0; which < order; ++which)
      weights[i].push_back(lms_weight(run.sigmas, i, order, which));
  }
  plan.loop = [weights = std::move(weights)](const Denoiser& denoiser, Tensor x, const auto& steps,
                                             NoiseSource&, const StepCallback& on_step) {
    return sample_lms(denoiser, std::move(x), steps, weights, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler lms() {
  return {"lms", "LMSDiscreteScheduler", {.schedules = true}, lay_out_lms};
}

}  // namespace sdgen
