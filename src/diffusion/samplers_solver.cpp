// Multistep and single-step exponential integrators: DPM-Solver++ and DEIS.
#include "diffusion/sampler_steps.h"

namespace sdgen {
namespace {

// What x at `from`, x0 there and x0's changes weigh in x at `to`: the integral of DPM-Solver++ eq. 8 over
// lambda, whose way is h. With noise (SDE-DPM-Solver++) everything decays twice as fast and noise makes up
// for it.
struct Integrator {
  Integrator(const Level& from, const Level& to, bool has_noise)
      : h(lambda(to) - lambda(from)), alpha(to.alpha), sigma(to.sigma), has_noise(has_noise) {
    way = has_noise ? 2.0 * h : h;
    x_weight = to.sigma / from.sigma * (has_noise ? std::exp(-h) : 1.0);
    reached = -std::expm1(-way);
  }

  double first() const { return alpha * reached; }                 // of x0
  double second() const { return alpha * (1.0 - reached / way); }  // of its slope times h
  // Of its curvature times h^2. With noise the reference has another sign than the integral; pictures follow
  // it.
  double third() const {
    const double share = (way - reached) / squared(way);
    return has_noise ? -alpha * (0.5 + share) : alpha * (0.5 - share);
  }
  double noise() const { return sigma * std::sqrt(std::max(0.0, reached)); }

  double h, alpha, sigma;
  bool has_noise;
  double way = 0.0;
  double x_weight = 0.0;
  double reached = 0.0;  // 1 - e^(-way)
};

// DPM-Solver++ 2M and 3M (appendix B): D1 is x0's slope times h, from the outputs before, D2 its curvature.
Tensor multistep_update(const OutputHistory& x0, const Tensor& x, const Level& to, std::size_t order,
                        const SamplerOptions& options, bool has_noise) {
  const Integrator way(x0[0].level, to, has_noise);
  Tensor result = way.x_weight * x + way.first() * x0[0].output;
  if (order < 2) return result;
  const double r0 = (lambda(x0[0].level) - lambda(x0[1].level)) / way.h;
  const Tensor slope = (x0[0].output - x0[1].output) / r0;
  if (order == 2) return result + (options.heun ? way.second() : 0.5 * way.first()) * slope;
  const double r1 = (lambda(x0[1].level) - lambda(x0[2].level)) / way.h;
  const Tensor older_slope = (x0[1].output - x0[2].output) / r1;
  const Tensor curvature = (slope - older_slope) / (r0 + r1);
  return result + way.second() * (slope + r0 * curvature) + way.third() * curvature;
}

Tensor multistep(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                 const SamplerOptions& options, NoiseSource* noise, const StepCallback& on_step) {
  OutputHistory history(3);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    history.push(estimate(denoiser, x, step).x0, step.from);
    const std::size_t order = std::min<std::size_t>(step.order, history.size());
    x = multistep_update(history, x, step.to, order, options, noise != nullptr);
    if (noise) x = x + Integrator(step.from, step.to, true).noise() * noise_like(x, *noise);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

// DPM-Solver++ 2S and 3S: from where the group of steps set out, over what was learnt within it.
Tensor singlestep_update(const OutputHistory& x0, const Tensor& x, const Level& to, std::size_t order,
                         const SamplerOptions& options) {
  const OutputHistory::Entry& start = x0[order - 1];
  const Integrator way(start.level, to, false);
  Tensor result = way.x_weight * x + way.first() * start.output;
  if (order < 2) return result;
  const double r0 = (lambda(x0[0].level) - lambda(start.level)) / way.h;
  const Tensor slope = (x0[0].output - start.output) / r0;
  if (order == 2) return result + (options.heun ? way.second() : 0.5 * way.first()) * slope;
  if (!options.heun) return result + way.second() * slope;
  const double r1 = (lambda(x0[1].level) - lambda(start.level)) / way.h;
  const Tensor early_slope = (x0[1].output - start.output) / r1;
  const Tensor first = (r0 * early_slope - r1 * slope) / (r0 - r1);
  const Tensor curvature = 2.0 * (slope - early_slope) / (r0 - r1);
  return result + way.second() * first + way.third() * curvature;
}

// The integral over rho from `low` to `high` of the polynomial in log rho that is 1 at rhos[which] and 0 at
// the other ones (DEIS eq. 15): for u = log rho, 1, u and u^2 have the antiderivatives rho, rho (u - 1) and
// rho (u^2 - 2u + 2).
double deis_weight(const std::vector<double>& rhos, std::size_t which, double low, double high) {
  double constant = 1.0, linear = 0.0, square = 0.0;  // of the polynomial's product so far
  for (std::size_t k = 0; k < rhos.size(); ++k) {
    if (k == which) continue;
    const double zero = std::log(rhos[k]), scale = std::log(rhos[which]) - zero;
    square = (linear - zero * square) / scale;
    linear = (constant - zero * linear) / scale;
    constant = -zero * constant / scale;
  }
  const auto antiderivative = [&](double rho) {
    const double u = std::log(rho);
    return rho * (constant + linear * (u - 1.0) + square * (u * u - 2.0 * u + 2.0));
  };
  return antiderivative(high) - antiderivative(low);
}

}  // namespace

Tensor sample_dpmpp_2m(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                       const SamplerOptions& options, NoiseSource&, const StepCallback& on_step) {
  return multistep(denoiser, std::move(x), steps, options, nullptr, on_step);
}

Tensor sample_dpmpp_2m_sde(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                           const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step) {
  return multistep(denoiser, std::move(x), steps, options, &noise, on_step);
}

Tensor sample_dpmpp_2s(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                       const SamplerOptions& options, NoiseSource&, const StepCallback& on_step) {
  OutputHistory history(3);
  Tensor start = x;  // of the group
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    history.push(estimate(denoiser, x, step).x0, step.from);
    const std::size_t order = std::min<std::size_t>(step.order, history.size());
    if (order == 1) start = x;
    x = singlestep_update(history, start, step.to, order, options);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_deis(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, const SamplerOptions&,
                   NoiseSource&, const StepCallback& on_step) {
  const auto rho = [](const Level& level) { return level.sigma / level.alpha; };
  OutputHistory eps(3);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    eps.push(estimate(denoiser, x, step).eps, step.from);
    std::vector<double> rhos;
    for (std::size_t age = 0; age < std::min<std::size_t>(step.order, eps.size()); ++age)
      rhos.push_back(rho(eps[age].level));
    x = x / step.from.alpha;
    for (std::size_t age = 0; age < rhos.size(); ++age)
      x = x + deis_weight(rhos, age, rho(step.from), rho(step.to)) * eps[age].output;
    x = step.to.alpha * x;
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

}  // namespace sdgen
