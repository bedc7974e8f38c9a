#include "diffusion/samplers/sigma_run.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace sdgen {
namespace {

// Replaces the spaced sigmas by another spread between their ends.
void spread(const SchedulerConfig& config, const SigmaTable& table, int count, SigmaRun& run) {
  const double high = config.sigma_max.value_or(run.sigmas.front());
  const double low = config.sigma_min.value_or(run.sigmas.back());
  run.sigmas = spread_sigmas(config.sigma_schedule, high, low, count);
  run.timesteps.clear();
  for (const double sigma : run.sigmas) run.timesteps.push_back(table.timestep_of(sigma));
}

std::vector<double> log_linear_sigmas(const SigmaTable& table, int count) {
  const auto ends = at::linspace(table.logs.back(), table.logs.front(), count + 1, at::kFloat).exp();
  const at::Tensor sigmas = ends.to(at::kDouble).contiguous();
  return {sigmas.data_ptr<double>(), sigmas.data_ptr<double>() + sigmas.numel()};
}

double middle(double one, double other) {  // in log sigma
  return std::sqrt(one * other);
}

}  // namespace

SigmaRun sigma_run(const SchedulerConfig& config, const SigmaTable& table, int count) {
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLinspace);
  SigmaRun run;
  run.timesteps = spaced_timesteps(config, spacing, count, true);
  if (config.log_linear_sigmas)
    run.sigmas = log_linear_sigmas(table, count);
  else
    for (const double t : run.timesteps) run.sigmas.push_back(table.at(t));
  if (config.sigma_schedule != SigmaSchedule::kTimesteps) spread(config, table, count, run);
  run.sigmas.push_back(config.final_sigma_is_zero ? 0.0 : table.sigmas.front());
  for (double& sigma : run.sigmas) sigma = static_cast<float>(sigma);
  const double highest = *std::max_element(run.sigmas.begin(), run.sigmas.end());
  run.initial_noise_scale =
      spacing == TimestepSpacing::kLeading ? std::sqrt(highest * highest + 1.0) : highest;
  return run;
}

SchedulerConfig without_sigma_keys(SchedulerConfig config) {
  config.final_sigma_is_zero = true;
  config.log_linear_sigmas = config.continuous_timesteps = config.rescale_betas_zero_snr = false;
  if (config.sigma_schedule == SigmaSchedule::kLu) config.sigma_schedule = SigmaSchedule::kTimesteps;
  return config;
}

SamplingPlan plan_of(const SigmaRun& run) {
  SamplingPlan plan;
  plan.initial_noise_scale = run.initial_noise_scale;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    plan.entries.push_back({run.timesteps[i], {1.0, run.sigmas[i]}});
    plan.steps.push_back({run.timesteps[i], {1.0, run.sigmas[i]}, {1.0, run.sigmas[i + 1]}});
  }
  return plan;
}

SamplingPlan plan_with_middles(const SchedulerConfig& config, const std::string& sampler, bool ancestral,
                               const RunShape& shape) {
  require_steps(config, sampler, shape.steps);
  const SigmaTable table(alphas_cumprod(config, false));
  SigmaRun run = sigma_run(config, table, shape.steps);
  if (config.sigma_schedule == SigmaSchedule::kKarras)
    for (double& t : run.timesteps) t = std::nearbyint(t);
  SamplingPlan plan;
  plan.entries_per_step = 2;
  plan.initial_noise_scale = run.initial_noise_scale;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    const double from = run.sigmas[i], to = run.sigmas[i + 1];
    const double between = middle(from, ancestral ? ancestral_step(from, to).down : to);
    plan.entries.push_back({run.timesteps[i], {1.0, from}});
    plan.steps.push_back({run.timesteps[i], {1.0, from}, {1.0, between}});
    if (to == 0.0) break;
    // What is known is noised to the level of the whole step, also in its middle.
    plan.entries.push_back({table.timestep_of(between), {1.0, to}});
    plan.steps.push_back({table.timestep_of(between), {1.0, between}, {1.0, to}});
  }
  return cut(std::move(plan), shape.range);
}

}  // namespace sdgen
