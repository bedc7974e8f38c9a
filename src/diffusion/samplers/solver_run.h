// Layouts of the exponential integrators: DPM-Solver++, UniPC, DEIS. They step in lambda = log(alpha / sigma)
// and keep alpha^2 + sigma^2 = 1.
#pragma once

#include "diffusion/samplers/layout.h"
#include "diffusion/samplers/steps.h"
#include "diffusion/sigmas.h"

namespace sdgen {

// Where the reference's classes differ beside the formula.
struct SolverRules {
  bool spacings = true;         // else always linspace
  bool clips_lambda = false;    // lambda_min_clipped
  bool rounds_karras = true;    // timesteps of Karras sigmas; others are cut off
  bool lu = false;              // even lambdas
  bool may_end_at_zero = true;  // final_sigmas_type
  bool repeats_last = false;    // where it does not: a spread's last sigma again, not the table's first
};

// One evaluation a step. Throws Error(kInput) for a lambda_min_clipped that leaves no timestep.
SamplingPlan solver_plan(const SchedulerConfig& config, const SigmaTable& table, int count,
                         const SolverRules& rules);

// The orders of a multistep run's steps: full, but lower at the end of short runs and where sigma becomes 0.
std::vector<std::size_t> multistep_orders(std::size_t count, int order, bool lower_at_end,
                                          bool first_order_last);

// What x at `from`, x0 there and x0's changes weigh in x at `to`: the integral of DPM-Solver++ eq. 8 over
// lambda, whose way is h. With noise (SDE-DPM-Solver++) everything decays twice as fast and noise makes up
// for it.
struct Integrator {
  Integrator(const Level& from, const Level& to, bool has_noise);

  double first() const { return alpha * reached; }                 // of x0
  double second() const { return alpha * (1.0 - reached / way); }  // of its slope times h
  // Of its curvature times h^2. With noise the reference has another sign than the integral; pictures follow
  // it.
  double third() const;
  double noise() const { return sigma * std::sqrt(std::max(0.0, reached)); }

  double h, alpha, sigma;
  bool has_noise;
  double way = 0.0;
  double x_weight = 0.0;
  double reached = 0.0;  // 1 - e^(-way)
};

}  // namespace sdgen
