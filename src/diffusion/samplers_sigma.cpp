// Samplers that keep alpha = 1: x = x0 + sigma eps, and dx/dsigma = eps.
#include "diffusion/sampler_steps.h"

namespace sdgen {
namespace {

// Where x stood, and with which sigma, at the start of a step of two evaluations.
struct Anchor {
  Tensor x;
  double sigma = 0.0;
};

bool is_first_evaluation(std::size_t i) {
  return i % 2 == 0;
}

// DPM2: along the derivative of a point between; with ancestral noise only down to where noise leads back up.
Tensor dpm2(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, NoiseSource* noise,
            const StepCallback& on_step) {
  Anchor anchor;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const Tensor eps = estimate(denoiser, x, step).eps;
    if (is_first_evaluation(i)) {
      anchor = {x, step.from.sigma};
      x = x + (step.to.sigma - step.from.sigma) * eps;
    } else {
      const AncestralStep ancestral = ancestral_step(anchor.sigma, step.to.sigma);
      const double down = noise ? ancestral.down : step.to.sigma;
      x = anchor.x + (down - anchor.sigma) * eps;
      if (noise) x = x + ancestral.up * noise_like(x, *noise);
    }
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

}  // namespace

Tensor sample_euler(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, const SamplerOptions&,
                    NoiseSource&, const StepCallback& on_step) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    x = x + (step.to.sigma - step.from.sigma) * estimate(denoiser, x, step).eps;
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_euler_ancestral(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                              const SamplerOptions&, NoiseSource& noise, const StepCallback& on_step) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const auto [down, up] = ancestral_step(step.from.sigma, step.to.sigma);
    x = x + (down - step.from.sigma) * estimate(denoiser, x, step).eps;
    x = x + up * noise_like(x, noise);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_heun(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const SamplerOptions& options, NoiseSource&, const StepCallback& on_step) {
  Anchor anchor;
  Tensor first_eps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    Estimate at_x = estimate(denoiser, x, step);
    if (options.clip_x0 > 0) at_x.eps = (x - clip(at_x.x0, options.clip_x0)) / step.from.sigma;
    if (is_first_evaluation(i)) {
      anchor = {x, step.from.sigma};
      first_eps = at_x.eps;
      x = x + (step.to.sigma - step.from.sigma) * at_x.eps;
    } else {
      x = anchor.x + (0.5 * (step.to.sigma - anchor.sigma)) * (first_eps + at_x.eps);
    }
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_lms(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, const SamplerOptions&,
                  NoiseSource&, const StepCallback& on_step) {
  OutputHistory derivatives(4);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    derivatives.push(estimate(denoiser, x, step).eps, step.from);
    // A run that begins late has fewer derivatives than weights; the reference leaves these out.
    for (std::size_t age = 0; age < std::min(step.weights.size(), derivatives.size()); ++age)
      x = x + step.weights[age] * derivatives[age].output;
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_dpm2(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, const SamplerOptions&,
                   NoiseSource&, const StepCallback& on_step) {
  return dpm2(denoiser, std::move(x), steps, nullptr, on_step);
}

Tensor sample_dpm2_ancestral(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                             const SamplerOptions&, NoiseSource& noise, const StepCallback& on_step) {
  return dpm2(denoiser, std::move(x), steps, &noise, on_step);
}

Tensor sample_dpmpp_2s_ancestral(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                                 const SamplerOptions&, NoiseSource& noise, const StepCallback& on_step) {
  Anchor anchor;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    if (is_first_evaluation(i)) anchor = {x, step.from.sigma};
    const Tensor x0 = estimate(denoiser, x, step).x0;
    const AncestralStep ancestral = ancestral_step(anchor.sigma, step.to.sigma);
    const double target = is_first_evaluation(i) ? step.to.sigma : ancestral.down;
    x = (target / anchor.sigma) * anchor.x + (1.0 - target / anchor.sigma) * x0;  // DPM-Solver++ eq. 9
    if (!is_first_evaluation(i)) x = x + ancestral.up * noise_like(x, noise);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

}  // namespace sdgen
