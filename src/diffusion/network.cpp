#include "diffusion/network.h"

#include <cmath>

namespace sdgen {

double Network::input_norm(const Level& level) const {
  const double norm = std::sqrt(level.alpha * level.alpha + level.sigma * level.sigma);
  return std::abs(norm - 1.0) < 1e-12 ? 1.0 : norm;
}

}  // namespace sdgen
