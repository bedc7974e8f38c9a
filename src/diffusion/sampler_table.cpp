// Which levels each sampler steps between. The rules are diffusers', class by class, so that timesteps and
// pictures agree.
#include <algorithm>
#include <cmath>

#include "diffusion/samplers.h"
#include "sdgen/request.h"

namespace sdgen {
namespace {

constexpr std::size_t kPrkEvaluations = 12;  // three groups of four

// Variance-preserving: alpha^2 = alphas_cumprod, sigma^2 = 1 - alpha^2.
Level preserving_level(double alpha_cumprod) {
  return {std::sqrt(alpha_cumprod), std::sqrt(1.0 - alpha_cumprod)};
}

struct Levels {
  std::vector<double> cumprod;  // [num_train_timesteps]
  double final_cumprod = 1.0;   // before the first timestep

  Level at(double timestep) const {
    if (timestep < 0) return preserving_level(final_cumprod);
    return preserving_level(cumprod[std::min(cumprod.size() - 1, static_cast<std::size_t>(timestep))]);
  }
};

void require_steps(const SchedulerConfig& config, const std::string& sampler, int steps, int least = 1) {
  const int most = config.num_train_timesteps - config.steps_offset;
  if (steps < least || steps > most)
    fail_request("steps ", steps, ": sampler ", sampler, " takes ", least, " to ", most,
                 " with this model's scheduler");
}

void require_supported(const std::vector<std::string>& unsupported, const std::string& sampler,
                       const std::string& instead) {
  if (!unsupported.empty())
    fail_input("scheduler_config.json: ", join(unsupported), ": sampler ", sampler,
               " does not support this yet; use --sampler ", instead);
}

SamplerOptions clipping(const SchedulerConfig& config) {
  // The classes that can clip do so unless the config says otherwise.
  return {.clip_x0 = config.clip_sample.value_or(true) ? config.clip_sample_range : 0.0,
          .variance_type = config.variance_type};
}

SamplingPlan plan_ddim(const SchedulerConfig& config, int count) {
  require_steps(config, "ddim", count);
  require_supported(config.unsupported_by_ddim_ddpm, "ddim", "euler");
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  Levels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  if (!config.set_alpha_to_one.value_or(true)) levels.final_cumprod = levels.cumprod.front();
  SamplingPlan plan{{}, 1.0, clipping(config)};
  // The step goes to t - T/N, not to the next timestep of the list.
  for (const double t : spaced_timesteps(config, spacing, count, false))
    plan.steps.push_back({t, levels.at(t), levels.at(t - config.num_train_timesteps / count)});
  return plan;
}

SamplingPlan plan_ddpm(const SchedulerConfig& config, int count) {
  require_steps(config, "ddpm", count);
  require_supported(config.unsupported_by_ddim_ddpm, "ddpm", "euler");
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  const Levels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  const std::vector<double> timesteps = spaced_timesteps(config, spacing, count, false);
  SamplingPlan plan{{}, 1.0, clipping(config)};
  for (std::size_t i = 0; i < timesteps.size(); ++i)
    plan.steps.push_back(
        {timesteps[i], levels.at(timesteps[i]), levels.at(i + 1 < timesteps.size() ? timesteps[i + 1] : -1)});
  return plan;
}

// Twelve evaluations over the last four timesteps, with half steps between ("pseudo Runge-Kutta").
void add_runge_kutta_steps(const std::vector<double>& timesteps, int half, const Levels& levels,
                           std::vector<Step>& steps) {
  for (int group = 0; group < 3; ++group) {
    const double start = timesteps[group];
    const double end = timesteps[group + 1];
    const Level from = levels.at(start);
    steps.push_back({start, from, levels.at(start - half)});
    steps.push_back({end + half, from, levels.at(end + half)});
    steps.push_back({end + half, from, levels.at(end)});
    steps.push_back({end, from, levels.at(end)});
  }
}

SamplingPlan plan_pndm(const SchedulerConfig& config, int count) {
  require_steps(config, "pndm", count, config.skip_prk_steps ? 1 : 4);
  if (config.prediction_type == PredictionType::kSample)
    fail_request("sampler pndm cannot sample a model that predicts the sample; use ddim, ddpm or euler");
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  // The reference's class knows no zero-terminal-SNR rescaling: its formula divides by alpha.
  Levels levels{alphas_cumprod(config, false)};
  if (!config.set_alpha_to_one.value_or(false)) levels.final_cumprod = levels.cumprod.front();
  const int ratio = config.num_train_timesteps / count;
  std::vector<double> timesteps = spaced_timesteps(config, spacing, count, false);
  SamplingPlan plan;
  if (config.skip_prk_steps) {
    // The second timestep is visited twice: the first step is taken again with what is learnt there.
    for (std::size_t i = 0; i < timesteps.size(); ++i) {
      const double t = timesteps[i];
      if (i == 1) plan.steps.push_back({t, levels.at(t + ratio), levels.at(t)});
      plan.steps.push_back({t, levels.at(t), levels.at(t - ratio)});
    }
  } else {
    add_runge_kutta_steps(timesteps, ratio / 2, levels, plan.steps);
    plan.options.prk_steps = kPrkEvaluations;
    for (std::size_t i = 3; i < timesteps.size(); ++i)
      plan.steps.push_back({timesteps[i], levels.at(timesteps[i]), levels.at(timesteps[i] - ratio)});
  }
  return plan;
}

// sigma of a timestep that may lie between two training timesteps, interpolated linearly.
double interpolated_sigma(const std::vector<double>& cumprod, double timestep) {
  const auto sigma = [&](std::size_t i) { return std::sqrt((1.0 - cumprod[i]) / cumprod[i]); };
  const double bounded = std::clamp(timestep, 0.0, static_cast<double>(cumprod.size() - 1));
  const auto low = static_cast<std::size_t>(bounded);
  const std::size_t high = std::min(low + 1, cumprod.size() - 1);
  return sigma(low) + (bounded - static_cast<double>(low)) * (sigma(high) - sigma(low));
}

SamplingPlan plan_euler(const SchedulerConfig& config, int count) {
  require_steps(config, "euler", count);
  require_supported(config.unsupported_by_euler, "euler", "euler-a or ddim");
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLinspace);
  std::vector<double> cumprod = alphas_cumprod(config, config.rescale_betas_zero_snr);
  if (config.rescale_betas_zero_snr) cumprod.back() = std::ldexp(1.0, -24);  // keeps the first sigma finite
  const std::vector<double> timesteps = spaced_timesteps(config, spacing, count, true);
  SamplingPlan plan;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double last = config.final_sigma_is_zero ? 0.0 : interpolated_sigma(cumprod, 0);
    const double next = i + 1 < timesteps.size() ? interpolated_sigma(cumprod, timesteps[i + 1]) : last;
    plan.steps.push_back({timesteps[i], {1.0, interpolated_sigma(cumprod, timesteps[i])}, {1.0, next}});
  }
  const double highest = plan.steps.front().from.sigma;
  plan.initial_noise_scale =
      spacing == TimestepSpacing::kLeading ? std::sqrt(highest * highest + 1.0) : highest;
  return plan;
}

SamplingPlan plan_euler_ancestral(const SchedulerConfig& config, int count) {
  SchedulerConfig to_zero = config;
  to_zero.final_sigma_is_zero = true;  // the class has no final_sigmas_type, and none of the other keys
  to_zero.unsupported_by_euler.clear();
  return plan_euler(to_zero, count);
}

}  // namespace

const std::vector<Sampler>& samplers() {
  static const std::vector<Sampler> kSamplers = {
      {"ddim", "DDIMScheduler", "DDIM", plan_ddim, sample_ddim},
      {"ddpm", "DDPMScheduler", "DDPM", plan_ddpm, sample_ddpm},
      {"pndm", "PNDMScheduler", "PLMS", plan_pndm, sample_pndm},
      {"euler", "EulerDiscreteScheduler", "Euler", plan_euler, sample_euler},
      {"euler-a", "EulerAncestralDiscreteScheduler", "Euler a", plan_euler_ancestral, sample_euler_ancestral},
  };
  return kSamplers;
}

const Sampler& find_sampler(const std::string& name) {
  for (const Sampler& sampler : samplers())
    if (sampler.name == name) return sampler;
  fail_request(unknown_name("sampler", name, sampler_names()));
}

const Sampler* find_sampler_of_class(const std::string& scheduler_class) {
  for (const Sampler& sampler : samplers())
    if (sampler.scheduler_class == scheduler_class) return &sampler;
  return nullptr;
}

}  // namespace sdgen
