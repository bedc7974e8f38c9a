// Which levels each sampler steps between. The rules are diffusers', class by class, so that timesteps and
// pictures agree.
#pragma once

#include "diffusion/samplers.h"

namespace sdgen {

using PlanFunction = SamplingPlan(const SchedulerConfig& config, int count, const StepRange& range);

PlanFunction plan_ddim;
PlanFunction plan_ddpm;
PlanFunction plan_pndm;
PlanFunction plan_lcm;
PlanFunction plan_tcd;
PlanFunction plan_euler;
PlanFunction plan_euler_ancestral;
PlanFunction plan_heun;
PlanFunction plan_lms;
PlanFunction plan_dpm2;
PlanFunction plan_dpm2_ancestral;
PlanFunction plan_dpmpp_2s_ancestral;
PlanFunction plan_dpmpp_2m;
PlanFunction plan_dpmpp_2s;
PlanFunction plan_unipc;
PlanFunction plan_deis;

// Variance-preserving: alpha^2 = alphas_cumprod, sigma^2 = 1 - alpha^2.
Level preserving_level(double alpha_cumprod);

// The alphas_cumprod of methods that divide by alpha: with zero SNR the last is lifted from 0 to 2^-24.
std::vector<double> lifted_cumprod(const SchedulerConfig& config);

// Throws Error(kRequest) for fewer than `least` steps or more than the schedule's timesteps.
void require_steps(const SchedulerConfig& config, const std::string& sampler, int steps, int least = 1);

// Throws Error(kInput) if the config sets one of `keys` to what no sampler does.
void require_supported(const SchedulerConfig& config, const std::string& sampler,
                       const std::vector<std::string>& keys);

// Leaves the range's steps; throws Error(kRequest) if it is empty, outside of the entries, or begins between
// the two evaluations of a step.
SamplingPlan cut(SamplingPlan plan, const StepRange& range);

// The range's end for `entries` entries, checked as cut() does.
std::size_t checked_end(const StepRange& range, std::size_t entries, int entries_per_step);

}  // namespace sdgen
