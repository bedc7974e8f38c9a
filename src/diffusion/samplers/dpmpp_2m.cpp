// "DPM-Solver++", algorithm 2 (2M) and its third-order sibling; with noise: section 5, SDE-DPM-Solver++.
#include "diffusion/samplers/solver_run.h"

namespace sdgen {
namespace {

struct Multistep {
  std::vector<std::size_t>
      orders;         // of each step of the whole run: newest outputs that count, where there are as many
  bool heun = false;  // Heun's weights of the differences instead of the midpoint's
  bool has_noise = false;
};

// 2M and 3M (appendix B): slope is x0's times h, from the outputs before, then its curvature.
Tensor multistep_update(const OutputHistory& x0, const Tensor& x, const Level& to, std::size_t order,
                        const Multistep& method) {
  const Integrator way(x0[0].level, to, method.has_noise);
  Tensor result = way.x_weight * x + way.first() * x0[0].output;
  if (order < 2) return result;
  const double r0 = (lambda(x0[0].level) - lambda(x0[1].level)) / way.h;
  const Tensor slope = (x0[0].output - x0[1].output) / r0;
  if (order == 2) return result + (method.heun ? way.second() : 0.5 * way.first()) * slope;
  const double r1 = (lambda(x0[1].level) - lambda(x0[2].level)) / way.h;
  const Tensor older_slope = (x0[1].output - x0[2].output) / r1;
  const Tensor curvature = (slope - older_slope) / (r0 + r1);
  return result + way.second() * (slope + r0 * curvature) + way.third() * curvature;
}

Tensor sample_dpmpp_2m(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                       const Multistep& method, NoiseSource& noise, const StepCallback& on_step) {
  OutputHistory history(3);
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    history.push(estimate(denoiser, at, step).x0, step.from);
    const Tensor next =
        multistep_update(history, at, step.to, std::min(method.orders[step.index], history.size()), method);
    if (!method.has_noise) return next;
    return next + Integrator(step.from, step.to, true).noise() * noise_like(next, noise);
  });
}

SamplingPlan lay_out_dpmpp_2m(const SchedulerConfig& config, const RunShape& shape, bool has_noise) {
  require_steps(config, "dpm++2m", shape.steps);
  require_supported(config, "dpm++2m", {"thresholding", "variance_type", "use_flow_sigmas"});
  const SolverRules rules{.clips_lambda = true,
                          .rounds_karras = config.beta_schedule.value_or("") != "squaredcos_cap_v2",
                          .lu = true};
  SamplingPlan plan = config.prediction_type == PredictionType::kFlow
                          ? flow_plan(config, shape)
                          : solver_plan(config, SigmaTable(lifted_cumprod(config)), shape.steps, rules);
  const Multistep method{.orders = multistep_orders(plan.steps.size(), config.solver_order,
                                                    config.lower_order_final.value_or(true),
                                                    config.euler_at_final || config.final_sigma_is_zero),
                         .heun = config.solver_type == "heun",
                         .has_noise = has_noise};
  plan.loop = [method](const Denoiser& denoiser, Tensor x, const auto& steps, NoiseSource& noise,
                       const StepCallback& on_step) {
    return sample_dpmpp_2m(denoiser, std::move(x), steps, method, noise, on_step);
  };
  return cut(std::move(plan), shape.range);
}

constexpr SamplerTraits kTraits{.schedules = true, .lu = true, .zero_snr = true, .flow = true};

}  // namespace

Sampler dpmpp_2m() {
  return {"dpm++2m", "DPMSolverMultistepScheduler", kTraits,
          [](const SchedulerConfig& config, const RunShape& shape) {
            return lay_out_dpmpp_2m(config, shape, false);
          },
          [](const SchedulerConfig& config) {
            const std::string& type = config.algorithm_type;
            return type != "dpmsolver" && type != "sde-dpmsolver" && type != "sde-dpmsolver++";
          }};
}

Sampler dpmpp_2m_sde() {
  return {"dpm++2m-sde", "DPMSolverMultistepScheduler", kTraits,
          [](const SchedulerConfig& config, const RunShape& shape) {
            return lay_out_dpmpp_2m(config, shape, true);
          },
          [](const SchedulerConfig& config) { return config.algorithm_type == "sde-dpmsolver++"; }};
}

}  // namespace sdgen
