#include "diffusion/sampler_plans.h"

#include <algorithm>
#include <cmath>

namespace sdgen {
namespace {

constexpr std::size_t kPrkEvaluations = 12;  // three groups of four

struct Levels {
  std::vector<double> cumprod;  // [num_train_timesteps]
  double final_cumprod = 1.0;   // before the first timestep

  Level at(double timestep) const {
    if (timestep < 0) return preserving_level(final_cumprod);
    return preserving_level(cumprod[std::min(cumprod.size() - 1, static_cast<std::size_t>(timestep))]);
  }
};

SamplerOptions clipping(const SchedulerConfig& config, bool by_default) {
  return {.clip_x0 = config.clip_sample.value_or(by_default) ? config.clip_sample_range : 0.0,
          .variance_type = config.variance_type};
}

void add(SamplingPlan& plan, Step step, const Levels& levels) {
  plan.entries.push_back({step.timestep, levels.at(step.timestep)});
  plan.steps.push_back(std::move(step));
}

// Every timestep that LCM and TCD were distilled on, thinned out to `count`.
std::vector<double> distilled_timesteps(const SchedulerConfig& config, const std::string& sampler,
                                        int count) {
  const int most = std::min(config.original_inference_steps, config.num_train_timesteps);
  if (count < 1 || count > most)
    fail_request("steps ", count, ": sampler ", sampler, " takes 1 to ", most,
                 " with this model's scheduler (original_inference_steps)");
  const int ratio = config.num_train_timesteps / most;
  const double stride = static_cast<double>(most) / count;
  std::vector<double> timesteps;
  for (int i = 0; i < count; ++i) timesteps.push_back((most - std::floor(i * stride)) * ratio - 1);
  return timesteps;
}

SchedulerConfig distilled(const SchedulerConfig& config) {
  return with_betas(config, 0.00085, 0.012, "scaled_linear");
}

// PNDM's list: the timesteps, with the second one twice, or with the Runge-Kutta start's own, two a half step
// ("pseudo Runge-Kutta", PNDM eq. 13).
std::vector<double> pndm_timesteps(const SchedulerConfig& config, const std::vector<double>& spaced,
                                   int half) {
  std::vector<double> timesteps;
  if (config.skip_prk_steps) {
    timesteps = spaced;
    if (spaced.size() > 1) timesteps.insert(timesteps.begin() + 1, spaced[1]);
    return timesteps;
  }
  for (int group = 0; group < 3; ++group)
    timesteps.insert(timesteps.end(),
                     {spaced[group], spaced[group + 1] + half, spaced[group + 1] + half, spaced[group + 1]});
  timesteps.insert(timesteps.end(), spaced.begin() + 3, spaced.end());
  return timesteps;
}

}  // namespace

Level preserving_level(double alpha_cumprod) {
  return {std::sqrt(alpha_cumprod), std::sqrt(1.0 - alpha_cumprod)};
}

std::vector<double> lifted_cumprod(const SchedulerConfig& config) {
  std::vector<double> cumprod = alphas_cumprod(config, config.rescale_betas_zero_snr);
  if (config.rescale_betas_zero_snr) cumprod.back() = std::ldexp(1.0, -24);  // keeps the first sigma finite
  return cumprod;
}

void require_steps(const SchedulerConfig& config, const std::string& sampler, int steps, int least) {
  const int most = config.num_train_timesteps - config.steps_offset;
  if (steps < least || steps > most)
    fail_request("steps ", steps, ": sampler ", sampler, " takes ", least, " to ", most,
                 " with this model's scheduler");
}

void require_supported(const SchedulerConfig& config, const std::string& sampler,
                       const std::vector<std::string>& keys) {
  std::vector<std::string> set;
  for (const std::string& key : config.unsupported)
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) set.push_back(key);
  if (!set.empty())
    fail_input("scheduler_config.json: ", join(set), ": sampler ", sampler,
               " does not support this yet; use --sampler euler");
}

std::size_t checked_end(const StepRange& range, std::size_t entries, int entries_per_step) {
  const std::size_t end = range.end.value_or(entries);
  if (range.first >= end || end > entries)
    fail_request("steps from entry ", range.first, " to ", end, ": the sampler's list has entries 0 to ",
                 entries, "; begin earlier or end later");
  if (range.first % static_cast<std::size_t>(entries_per_step) != 0)
    fail_request("steps from entry ", range.first, ": this sampler begins at even entries, it takes ",
                 entries_per_step, " evaluations a step");
  return end;
}

SamplingPlan cut(SamplingPlan plan, const StepRange& range) {
  const std::size_t end = checked_end(range, plan.entries.size(), plan.entries_per_step);
  plan.first = range.first;
  plan.steps.resize(end);
  plan.steps.erase(plan.steps.begin(), plan.steps.begin() + static_cast<std::ptrdiff_t>(range.first));
  return plan;
}

SamplingPlan plan_ddim(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "ddim", count);
  require_supported(config, "ddim", {"thresholding", "variance_type"});
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  Levels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  if (!config.set_alpha_to_one.value_or(true)) levels.final_cumprod = levels.cumprod.front();
  SamplingPlan plan;
  plan.options = clipping(config, true);
  // The step goes to t - T/N, not to the next timestep of the list.
  for (const double t : spaced_timesteps(config, spacing, count, false))
    add(plan, {t, levels.at(t), levels.at(t - config.num_train_timesteps / count)}, levels);
  return cut(std::move(plan), range);
}

SamplingPlan plan_ddpm(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "ddpm", count);
  require_supported(config, "ddpm", {"thresholding", "variance_type"});
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  const Levels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  const std::vector<double> timesteps = spaced_timesteps(config, spacing, count, false);
  SamplingPlan plan;
  plan.options = clipping(config, true);
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double next = i + 1 < timesteps.size() ? timesteps[i + 1] : -1;
    add(plan, {timesteps[i], levels.at(timesteps[i]), levels.at(next)}, levels);
  }
  return cut(std::move(plan), range);
}

SamplingPlan plan_pndm(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "pndm", count, config.skip_prk_steps ? 1 : 4);
  if (config.prediction_type == PredictionType::kSample)
    fail_request("sampler pndm cannot sample a model that predicts the sample; use ddim, ddpm or euler");
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  // The reference's class knows no zero-terminal-SNR rescaling: its formula divides by alpha.
  Levels levels{alphas_cumprod(config, false)};
  if (!config.set_alpha_to_one.value_or(false)) levels.final_cumprod = levels.cumprod.front();
  const int ratio = config.num_train_timesteps / count;
  const int half = ratio / 2;
  const std::vector<double> timesteps =
      pndm_timesteps(config, spaced_timesteps(config, spacing, count, false), half);
  SamplingPlan plan;
  plan.options.prk_steps = config.skip_prk_steps ? 0 : kPrkEvaluations;
  for (const double t : timesteps) plan.entries.push_back({t, levels.at(t)});
  const std::size_t end = checked_end(range, timesteps.size(), 1);
  plan.first = range.first;
  // The reference counts from 0 wherever the list is entered: the start is taken there, too.
  for (std::size_t i = range.first, counter = 0; i < end; ++i, ++counter) {
    const double t = timesteps[i];
    if (counter < plan.options.prk_steps)
      plan.steps.push_back(
          {t, levels.at(timesteps[counter / 4 * 4]), levels.at(counter % 2 == 0 ? t - half : t)});
    else if (counter == 1)  // the first step again, with what is learnt at its end
      plan.steps.push_back({t, levels.at(t + ratio), levels.at(t)});
    else
      plan.steps.push_back({t, levels.at(t), levels.at(t - ratio)});
  }
  return plan;
}

SamplingPlan plan_lcm(const SchedulerConfig& silent, int count, const StepRange& range) {
  const SchedulerConfig config = distilled(silent);
  require_supported(config, "lcm", {"thresholding"});
  const Levels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  const std::vector<double> timesteps = distilled_timesteps(config, "lcm", count);
  SamplingPlan plan;
  plan.options = clipping(config, false);
  plan.options.timestep_scaling = config.timestep_scaling;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const Level to = i + 1 < timesteps.size() ? levels.at(timesteps[i + 1]) : Level{};
    add(plan, {timesteps[i], levels.at(timesteps[i]), to}, levels);
  }
  return cut(std::move(plan), range);
}

SamplingPlan plan_tcd(const SchedulerConfig& silent, int count, const StepRange& range) {
  const SchedulerConfig config = distilled(silent);
  const Levels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  const std::vector<double> timesteps = distilled_timesteps(config, "tcd", count);
  SamplingPlan plan;
  for (const double cumprod : levels.cumprod)
    plan.options.training_levels.push_back(preserving_level(cumprod));
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    Step step{timesteps[i], levels.at(timesteps[i]), {}};
    step.to_timestep = i + 1 < timesteps.size() ? timesteps[i + 1] : 0.0;
    step.to = levels.at(step.to_timestep);
    add(plan, std::move(step), levels);
  }
  return cut(std::move(plan), range);
}

}  // namespace sdgen
