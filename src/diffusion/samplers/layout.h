// What the samplers' layouts share: which levels a run steps between. The rules are diffusers', class by
// class, so that timesteps and pictures agree.
#pragma once

#include "diffusion/samplers/sampler.h"

namespace sdgen {

// Variance-preserving: alpha^2 = alphas_cumprod, sigma^2 = 1 - alpha^2.
Level preserving_level(double alpha_cumprod);

// The variance-preserving levels of the training timesteps.
struct TrainedLevels {
  std::vector<double> cumprod;  // [num_train_timesteps]
  double final_cumprod = 1.0;   // before the first timestep

  Level at(double timestep) const;
};

// Appends a step and its entry.
void add_step(SamplingPlan& plan, Step step, const TrainedLevels& levels);

// Of a flow, one evaluation a step: alpha + sigma = 1, timesteps sigma * num_train_timesteps.
SamplingPlan flow_plan(const SchedulerConfig& config, const RunShape& shape);

// The alphas_cumprod of methods that divide by alpha: with zero SNR the last is lifted from 0 to 2^-24.
std::vector<double> lifted_cumprod(const SchedulerConfig& config);

// Throws Error(kRequest) for fewer than `least` steps or more than the schedule's timesteps.
void require_steps(const SchedulerConfig& config, const std::string& sampler, int steps, int least = 1);

// Throws Error(kInput) if the config sets one of `keys` to what no sampler does.
void require_supported(const SchedulerConfig& config, const std::string& sampler,
                       const std::vector<std::string>& keys);

// x0 is clamped to -range .. range; 0: not at all.
double clip_range(const SchedulerConfig& config, bool by_default);

// Numbers the steps and leaves the range's; throws Error(kRequest) if it is empty, outside of the entries, or
// begins between the two evaluations of a step.
SamplingPlan cut(SamplingPlan plan, const StepRange& range);

// The range's end for `entries` entries, checked as cut() does.
std::size_t checked_end(const StepRange& range, std::size_t entries, int entries_per_step);

// Every timestep that LCM and TCD were distilled on, thinned out to `count`. Throws Error(kRequest) for more
// than there are.
std::vector<double> distilled_timesteps(const SchedulerConfig& config, const std::string& sampler, int count);

}  // namespace sdgen
