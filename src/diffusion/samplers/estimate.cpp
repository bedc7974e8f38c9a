#include "diffusion/samplers/steps.h"

namespace sdgen {

Estimate estimate_from_output(PredictionType type, const Tensor& output, const Tensor& x,
                              const Level& level) {
  const double norm = std::sqrt(squared(level.alpha) + squared(level.sigma));
  switch (type) {
    case PredictionType::kEpsilon:
      return {(x - level.sigma * output) / level.alpha, output};
    case PredictionType::kSample:
      return {output, (x - level.alpha * output) / level.sigma};
    case PredictionType::kVPrediction:
      // With unit norm x0 = alpha x - sigma v and eps = alpha v + sigma x; other scales are brought to it.
      return {(level.alpha / squared(norm)) * x - (level.sigma / norm) * output,
              (level.alpha / norm) * output + (level.sigma / squared(norm)) * x};
    case PredictionType::kFlow:  // v = eps - x0, at alpha + sigma = 1
      return {x - level.sigma * output, x + level.alpha * output};
  }
  return {};
}

}  // namespace sdgen
