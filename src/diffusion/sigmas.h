// Sigmas of samplers that step in sigma / alpha: the table of the training timesteps, and other spreads of
// it.
#pragma once

#include <vector>

#include "diffusion/schedule.h"

namespace sdgen {

// sigma / alpha at each training timestep, and its logarithm, in the float32 of the reference.
struct SigmaTable {
  explicit SigmaTable(const std::vector<double>& cumprod);

  // At a timestep that may lie between two, linearly interpolated.
  double at(double timestep) const;
  // The timestep of a sigma, linear in log sigma.
  double timestep_of(double sigma) const;

  std::vector<float> sigmas;
  std::vector<float> logs;
};

// `count` sigmas from `high` to `low`.
std::vector<double> spread_sigmas(SigmaSchedule schedule, double high, double low, int count);

// How an ancestral step from `from` to `to` shares out: `down` is reached along the derivative, noise of `up`
// then leads back to `to` (k-diffusion).
struct AncestralStep {
  double down = 0.0;
  double up = 0.0;
};
AncestralStep ancestral_step(double from, double to);

// The x below which a Beta(a, b) variable falls with probability p.
double beta_quantile(double p, double a, double b);

}  // namespace sdgen
