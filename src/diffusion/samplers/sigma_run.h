// Layouts of the samplers with alpha = 1: x = x0 + sigma eps, and dx/dsigma = eps.
#pragma once

#include "diffusion/samplers/layout.h"
#include "diffusion/sigmas.h"

namespace sdgen {

// A run's timesteps and one sigma more, that after the last step, in the reference's float32.
struct SigmaRun {
  std::vector<double> timesteps;
  std::vector<double> sigmas;
  double initial_noise_scale = 1.0;
};

SigmaRun sigma_run(const SchedulerConfig& config, const SigmaTable& table, int count);

// What classes without such keys make of a config of another class.
SchedulerConfig without_sigma_keys(SchedulerConfig config);

// One evaluation a step.
SamplingPlan plan_of(const SigmaRun& run);

// Two evaluations a step, at its start and at a point between (DPM2, DPM++ 2S); the last step is Euler's.
// `ancestral`: with noise after each step.
SamplingPlan plan_with_middles(const SchedulerConfig& config, const std::string& sampler, bool ancestral,
                               const RunShape& shape);

// Where x stood, and with which sigma, at the start of a step of two evaluations.
struct Anchor {
  Tensor x;
  double sigma = 0.0;
};

// Of methods with two evaluations a step; a range of a run begins with a first one, too.
inline bool is_first_evaluation(const Step& step) {
  return step.index % 2 == 0;
}

}  // namespace sdgen
