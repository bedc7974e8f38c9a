// Plans of the samplers with alpha = 1: x = x0 + sigma eps.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "diffusion/sampler_plans.h"
#include "diffusion/sigmas.h"

namespace sdgen {
namespace {

// A run's timesteps and one sigma more, that after the last step, in the reference's float32.
struct SigmaRun {
  std::vector<double> timesteps;
  std::vector<double> sigmas;
  double initial_noise_scale = 1.0;
};

double as_float(double value) {
  return static_cast<float>(value);
}

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
  for (double& sigma : run.sigmas) sigma = as_float(sigma);
  const double highest = *std::max_element(run.sigmas.begin(), run.sigmas.end());
  run.initial_noise_scale =
      spacing == TimestepSpacing::kLeading ? std::sqrt(highest * highest + 1.0) : highest;
  return run;
}

// What classes without such keys make of a config of another class.
SchedulerConfig plain(SchedulerConfig config) {
  config.final_sigma_is_zero = true;
  config.log_linear_sigmas = config.continuous_timesteps = config.rescale_betas_zero_snr = false;
  if (config.sigma_schedule == SigmaSchedule::kLu) config.sigma_schedule = SigmaSchedule::kTimesteps;
  return config;
}

// One evaluation a step.
SamplingPlan plan_of(const SigmaRun& run) {
  SamplingPlan plan;
  plan.initial_noise_scale = run.initial_noise_scale;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    plan.entries.push_back({run.timesteps[i], {1.0, run.sigmas[i]}});
    plan.steps.push_back({run.timesteps[i], {1.0, run.sigmas[i]}, {1.0, run.sigmas[i + 1]}});
  }
  return plan;
}

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

double between(double one, double other) {  // the middle in log sigma
  return std::sqrt(one * other);
}

// Two evaluations a step, at its start and at a point between (DPM2, DPM++ 2S); the last step is Euler's.
SamplingPlan plan_with_middles(const SchedulerConfig& config, const std::string& sampler, int count,
                               AncestralStep (*ancestral)(double, double), const StepRange& range) {
  require_steps(config, sampler, count);
  const SigmaTable table(alphas_cumprod(config, false));
  SigmaRun run = sigma_run(config, table, count);
  if (config.sigma_schedule == SigmaSchedule::kKarras)
    for (double& t : run.timesteps) t = std::nearbyint(t);
  SamplingPlan plan;
  plan.entries_per_step = 2;
  plan.initial_noise_scale = run.initial_noise_scale;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    const double from = run.sigmas[i], to = run.sigmas[i + 1];
    const double middle = between(from, ancestral ? ancestral(from, to).down : to);
    plan.entries.push_back({run.timesteps[i], {1.0, from}});
    plan.steps.push_back({run.timesteps[i], {1.0, from}, {1.0, middle}});
    if (to == 0.0) break;
    // What is known is noised to the level of the whole step, also in its middle.
    plan.entries.push_back({table.timestep_of(middle), {1.0, to}});
    plan.steps.push_back({table.timestep_of(middle), {1.0, middle}, {1.0, to}});
  }
  return cut(std::move(plan), range);
}

}  // namespace

SamplingPlan plan_euler(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "euler", count);
  SchedulerConfig known = config;
  if (known.sigma_schedule == SigmaSchedule::kLu) known.sigma_schedule = SigmaSchedule::kTimesteps;
  SigmaRun run = sigma_run(known, SigmaTable(lifted_cumprod(config)), count);
  if (config.continuous_timesteps && config.prediction_type == PredictionType::kVPrediction) {
    run.timesteps.clear();
    for (std::size_t i = 0; i + 1 < run.sigmas.size(); ++i)
      run.timesteps.push_back(0.25 * std::log(run.sigmas[i]));
  }
  return cut(plan_of(run), range);
}

SamplingPlan plan_euler_ancestral(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "euler-a", count);
  SchedulerConfig known = plain(config);
  known.sigma_schedule = SigmaSchedule::kTimesteps;
  return cut(plan_of(sigma_run(known, SigmaTable(lifted_cumprod(config)), count)), range);
}

SamplingPlan plan_heun(const SchedulerConfig& silent, int count, const StepRange& range) {
  require_steps(silent, "heun", count);
  const SchedulerConfig config = with_betas(plain(silent), 0.00085, 0.012, "linear");
  const SigmaRun run = sigma_run(config, SigmaTable(alphas_cumprod(config, false)), count);
  SamplingPlan plan;
  plan.entries_per_step = 2;
  plan.initial_noise_scale = run.initial_noise_scale;
  plan.options.clip_x0 = config.clip_sample.value_or(false) ? config.clip_sample_range : 0.0;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    const Level from{1.0, run.sigmas[i]}, to{1.0, run.sigmas[i + 1]};
    plan.entries.push_back({run.timesteps[i], from});
    plan.steps.push_back({run.timesteps[i], from, to});
    if (i + 1 == run.timesteps.size()) break;  // nothing to learn at sigma 0
    plan.entries.push_back({run.timesteps[i + 1], to});
    plan.steps.push_back({run.timesteps[i + 1], to, to});
  }
  return cut(std::move(plan), range);
}

SamplingPlan plan_lms(const SchedulerConfig& silent, int count, const StepRange& range) {
  require_steps(silent, "lms", count);
  const SchedulerConfig config = plain(silent);
  const SigmaRun run = sigma_run(config, SigmaTable(alphas_cumprod(config, false)), count);
  SamplingPlan plan = plan_of(run);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const std::size_t order = std::min<std::size_t>(i + 1, 4);
    for (std::size_t which = 0; which < order; ++which)
      plan.steps[i].weights.push_back(lms_weight(run.sigmas, i, order, which));
  }
  return cut(std::move(plan), range);
}

SamplingPlan plan_dpm2(const SchedulerConfig& config, int count, const StepRange& range) {
  if (config.prediction_type == PredictionType::kSample)
    fail_request("sampler dpm2 cannot sample a model that predicts the sample; use heun, ddim or euler");
  return plan_with_middles(with_betas(plain(config), 0.00085, 0.012, "linear"), "dpm2", count, nullptr,
                           range);
}

SamplingPlan plan_dpm2_ancestral(const SchedulerConfig& config, int count, const StepRange& range) {
  if (config.prediction_type == PredictionType::kSample)
    fail_request("sampler dpm2-a cannot sample a model that predicts the sample; use heun, ddim or euler");
  return plan_with_middles(with_betas(plain(config), 0.00085, 0.012, "linear"), "dpm2-a", count,
                           ancestral_step, range);
}

SamplingPlan plan_dpmpp_2s_ancestral(const SchedulerConfig& config, int count, const StepRange& range) {
  return plan_with_middles(plain(config), "dpm++2s-a", count, ancestral_step, range);
}

}  // namespace sdgen
