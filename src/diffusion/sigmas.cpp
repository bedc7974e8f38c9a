#include "diffusion/sigmas.h"

#include <algorithm>
#include <cmath>

namespace sdgen {
namespace {

constexpr double kRho = 7.0;        // of Karras et al.
constexpr double kBetaShape = 0.6;  // both parameters

// The continued fraction of the regularised incomplete beta function (Abramowitz and Stegun 26.5.8), by
// Lentz's method.
double beta_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1.0;
  double d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
  double fraction = d;
  for (int m = 1; m < 1000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double change = 1.0;
    for (const double term : {even, odd}) {
      d = 1.0 / away_from_zero(1.0 + term * d);
      c = away_from_zero(1.0 + term / c);
      change = d * c;
      fraction *= change;
    }
    if (std::abs(change - 1.0) < 1e-16) break;
  }
  return fraction;
}

// The probability that a Beta(a, b) variable is at most x.
double beta_probability(double x, double a, double b) {
  if (x <= 0.0 || x >= 1.0) return x <= 0.0 ? 0.0 : 1.0;
  if (x > (a + 1.0) / (a + b + 2.0)) return 1.0 - beta_probability(1.0 - x, b, a);  // where it converges
  const double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  return std::exp(log_front) * beta_fraction(x, a, b) / a;
}

}  // namespace

SigmaTable::SigmaTable(const std::vector<double>& cumprod) {
  // The reference leaves the square root to MKL, whose last bit is another on each maker's processors; this
  // one is rounded correctly, and the same everywhere.
  for (const double exact : cumprod) {
    const auto bar = static_cast<float>(exact);
    sigmas.push_back(std::sqrt((1.0F - bar) / bar));
    logs.push_back(std::log(sigmas.back()));
  }
}

double SigmaTable::at(double timestep) const {
  const double bounded = std::clamp(timestep, 0.0, static_cast<double>(sigmas.size() - 1));
  const auto low = static_cast<std::size_t>(bounded);
  const std::size_t high = std::min(low + 1, sigmas.size() - 1);
  return sigmas[low] +
         (bounded - static_cast<double>(low)) * (static_cast<double>(sigmas[high]) - sigmas[low]);
}

double SigmaTable::timestep_of(double sigma) const {
  const double log_sigma = std::log(std::max(sigma, 1e-10));
  std::size_t low = 0;  // the last whose log is not above
  for (std::size_t i = 0; i < logs.size(); ++i)
    if (log_sigma >= logs[i]) low = i;
  if (logs.size() < 2) return 0.0;
  low = std::min(low, logs.size() - 2);
  const double weight = std::clamp((logs[low] - log_sigma) / (logs[low] - logs[low + 1]), 0.0, 1.0);
  return (1.0 - weight) * static_cast<double>(low) + weight * static_cast<double>(low + 1);
}

std::vector<double> spread_sigmas(SigmaSchedule schedule, double high, double low, int count) {
  const double step = count > 1 ? 1.0 / (count - 1) : 0.0;
  std::vector<double> sigmas;
  for (int i = 0; i < count; ++i) {
    const double part = count > 1 && i == count - 1 ? 1.0 : i * step;  // 0 at the noise, 1 at the picture
    if (schedule == SigmaSchedule::kKarras) {
      const double high_root = std::pow(high, 1.0 / kRho);
      sigmas.push_back(std::pow(high_root + part * (std::pow(low, 1.0 / kRho) - high_root), kRho));
    } else if (schedule == SigmaSchedule::kBeta) {
      sigmas.push_back(low + beta_quantile(1.0 - part, kBetaShape, kBetaShape) * (high - low));
    } else {
      sigmas.push_back(std::exp(std::log(high) + part * (std::log(low) - std::log(high))));
    }
  }
  return sigmas;
}

AncestralStep ancestral_step(double from, double to) {
  const double down = to * to / from;
  return {down, std::sqrt(std::max(0.0, to * to - down * down))};
}

double beta_quantile(double p, double a, double b) {
  double low = 0.0, high = 1.0;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    if (middle == low || middle == high) break;
    (beta_probability(middle, a, b) < p ? low : high) = middle;
  }
  return p <= 0.0 ? 0.0 : p >= 1.0 ? 1.0 : 0.5 * (low + high);
}

}  // namespace sdgen
