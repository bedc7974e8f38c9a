#include "diffusion/samplers/layout.h"

#include <algorithm>
#include <cmath>

namespace sdgen {

Level preserving_level(double alpha_cumprod) {
  return {std::sqrt(alpha_cumprod), std::sqrt(1.0 - alpha_cumprod)};
}

Level TrainedLevels::at(double timestep) const {
  if (timestep < 0) return preserving_level(final_cumprod);
  return preserving_level(cumprod[std::min(cumprod.size() - 1, static_cast<std::size_t>(timestep))]);
}

void add_step(SamplingPlan& plan, Step step, const TrainedLevels& levels) {
  plan.entries.push_back({step.timestep, levels.at(step.timestep)});
  plan.steps.push_back(step);
}

SamplingPlan flow_plan(const SchedulerConfig& config, const RunShape& shape) {
  const std::vector<double> sigmas = flow_sigmas(config, shape.steps, shape.image_seq_len);
  SamplingPlan plan;
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    // The reference's product is in float32.
    const double timestep = static_cast<float>(sigmas[i]) * static_cast<float>(config.num_train_timesteps);
    const Level from{1.0 - sigmas[i], sigmas[i]};
    plan.entries.push_back({timestep, from});
    plan.steps.push_back({timestep, from, {1.0 - sigmas[i + 1], sigmas[i + 1]}});
  }
  return plan;
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

double clip_range(const SchedulerConfig& config, bool by_default) {
  return config.clip_sample.value_or(by_default) ? config.clip_sample_range : 0.0;
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
  for (std::size_t i = 0; i < plan.steps.size(); ++i) plan.steps[i].index = i;
  plan.first = range.first;
  plan.steps.resize(end);
  plan.steps.erase(plan.steps.begin(), plan.steps.begin() + static_cast<std::ptrdiff_t>(range.first));
  return plan;
}

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

}  // namespace sdgen
