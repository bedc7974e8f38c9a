// Samplers that keep alpha^2 + sigma^2 = 1 and know the training timesteps.
#include "diffusion/sampler_steps.h"

namespace sdgen {
namespace {

// Variance of x_{t-1} given x_t and x_0: DDPM eq. 7, DDIM eq. 16 with eta 1.
double posterior_variance(const Level& from, const Level& to) {
  return squared(to.sigma) / squared(from.sigma) * (1.0 - squared(from.alpha) / squared(to.alpha));
}

double ddpm_noise_scale(const Step& step, VarianceType type) {
  const double variance = std::max(posterior_variance(step.from, step.to), 1e-20);
  switch (type) {
    case VarianceType::kFixedSmall:
    case VarianceType::kFixedSmallLog:
      return std::sqrt(variance);
    case VarianceType::kFixedLarge:
      return std::sqrt(1.0 - squared(step.from.alpha) / squared(step.to.alpha));
  }
  return 0.0;
}

// x at `to` from x at `from` along eps: PNDM eq. 9, which is DDIM's step written so that no x_0 is needed.
Tensor pndm_transfer(const Denoiser& denoiser, const Tensor& output, const Tensor& x, const Level& from,
                     const Level& to) {
  // diffusers turns v into eps by the level stepped from, after mixing outputs; a sample prediction likewise.
  const Tensor eps = estimate_from_output(denoiser.prediction_type, output, x, from).eps;
  const double denominator = squared(from.alpha) * to.sigma + from.alpha * from.sigma * to.alpha;
  return (to.alpha / from.alpha) * x - ((squared(to.alpha) - squared(from.alpha)) / denominator) * eps;
}

// Adams-Bashforth over the newest outputs (back is newest): PNDM eq. 12.
Tensor linear_multistep(const std::deque<Tensor>& outputs) {
  const auto past = [&](std::size_t age) -> const Tensor& { return outputs[outputs.size() - 1 - age]; };
  switch (outputs.size()) {
    case 1:
      return past(0);
    case 2:
      return (3 * past(0) - past(1)) / 2;
    case 3:
      return (23 * past(0) - 16 * past(1) + 5 * past(2)) / 12;
    default:
      return (55 * past(0) - 59 * past(1) + 37 * past(2) - 9 * past(3)) / 24;
  }
}

}  // namespace

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
  }
  return {};
}

Tensor sample_ddim(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const auto [x0, eps] = estimate(denoiser, x, step);
    const double noise_scale = options.eta * std::sqrt(std::max(0.0, posterior_variance(step.from, step.to)));
    const double direction = std::sqrt(std::max(0.0, squared(step.to.sigma) - squared(noise_scale)));
    x = step.to.alpha * clip(x0, options.clip_x0) + direction * eps;  // DDIM eq. 12
    if (options.eta > 0) x = x + noise_scale * noise_like(x, noise);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_ddpm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const Tensor x0 = clip(estimate(denoiser, x, step).x0, options.clip_x0);
    const double alpha_ratio = squared(step.from.alpha) / squared(step.to.alpha);  // alpha_t of the paper
    const double x0_weight = step.to.alpha * (1.0 - alpha_ratio) / squared(step.from.sigma);
    const double x_weight = std::sqrt(alpha_ratio) * squared(step.to.sigma) / squared(step.from.sigma);
    x = x0_weight * x0 + x_weight * x;  // DDPM eq. 7
    if (step.timestep > 0) x = x + ddpm_noise_scale(step, options.variance_type) * noise_like(x, noise);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_pndm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const SamplerOptions& options, NoiseSource&, const StepCallback& on_step) {
  std::deque<Tensor> outputs;  // the newest four that linear_multistep looks at
  Tensor anchor;               // x where a Runge-Kutta group, or the doubled first PLMS step, set out
  Tensor group_sum;            // weighted outputs of a Runge-Kutta group
  const std::vector<double> weights = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const Tensor output = denoiser.output(x, step.from, step.timestep);
    Tensor direction = output;
    const bool second_plms_step = options.prk_steps == 0 && i == 1;
    if (i < options.prk_steps) {  // PNDM eq. 13
      const std::size_t stage = i % 4;
      if (stage == 0) anchor = x;
      group_sum = stage == 0 ? weights[0] * output : group_sum + weights[stage] * output;
      if (stage == 0) outputs.push_back(output);
      if (stage == 3) direction = group_sum;
    } else if (second_plms_step) {  // a corrector: the first step again, with the mean of both outputs
      direction = (output + outputs.back()) / 2;
    } else {
      outputs.push_back(output);
      if (outputs.size() > 4) outputs.pop_front();
      if (i == 0) anchor = x;
      direction = linear_multistep(outputs);
    }
    const bool from_anchor = i < options.prk_steps || second_plms_step;
    x = pndm_transfer(denoiser, direction, from_anchor ? anchor : x, step.from, step.to);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_lcm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                  const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step) {
  constexpr double kSigmaData = 0.5;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const double time = step.timestep * options.timestep_scaling;
    const double norm = squared(time) + squared(kSigmaData);
    const Tensor x0 = clip(estimate(denoiser, x, step).x0, options.clip_x0);
    x = (time / std::sqrt(norm)) * x0 + (squared(kSigmaData) / norm) * x;  // LCM eq. 9
    if (step.to.sigma > 0) x = step.to.alpha * x + step.to.sigma * noise_like(x, noise);
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

Tensor sample_tcd(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                  const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    // The point that is stepped to before noise leads back up; the reference rounds in float32.
    const float point =
        std::floor(static_cast<float>(1.0 - options.eta) * static_cast<float>(step.to_timestep));
    const Level& below = options.training_levels[static_cast<std::size_t>(point)];
    const auto [x0, eps] = estimate(denoiser, x, step);
    x = below.alpha * x0 + below.sigma * eps;
    if (options.eta > 0 && step.to_timestep > 0) {
      const double kept = step.to.alpha / below.alpha;
      x = kept * x + std::sqrt(std::max(0.0, 1.0 - squared(kept))) * noise_like(x, noise);
    }
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

}  // namespace sdgen
