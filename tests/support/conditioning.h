// Where the reference's own float32 cannot be told apart from its last bits.
#pragma once

#include <algorithm>
#include <cmath>

#include "diffusion/samplers/sampler.h"

namespace sdgen::testing {

// By what part the middle sigma of a DPM2 step with ancestral noise is uncertain in the reference, which
// computes it in float32: it is `to`, as sqrt(from down) = sqrt(from to^2 / from), but its down^2 = to^2 -
// up^2 cancels. Of to^2 only the part (to / from)^2 is left, so that each rounding of the terms, 2^-24 of
// to^2, is 2^-24 (from / to)^2 of down^2, half of that of down, and a quarter of the middle. There are four
// of them (the products, the quotient, the square root of the table, which MKL rounds in another way on
// Intel's processors than on AMD's). It is a few hundredths for a run of two steps, and nothing to speak of
// from five steps on. Ours does not cancel.
inline double middle_uncertainty(double from, double to) {
  return to > 0.0 ? std::min(1.0, std::ldexp(1.0, -24) * (from / to) * (from / to)) : 0.0;
}

// The same for evaluation i of a plan of dpm2-a; 0 for what is no middle.
inline double middle_uncertainty(const Sampler& sampler, const SamplingPlan& plan, std::size_t i) {
  if (sampler.name != "dpm2-a" || i % 2 == 0) return 0.0;
  return middle_uncertainty(plan.steps[i - 1].from.sigma, plan.steps[i].to.sigma);
}

}  // namespace sdgen::testing
