// "Trajectory Consistency Distillation", algorithm 4 (strategic stochastic sampling; eta is its gamma).
#include "diffusion/samplers/layout.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

// Where each step leads: a training timestep, and the point that is stepped to before noise leads back up to
// it.
struct TcdWay {
  double timestep = 0.0;
  Level below;
};

Tensor sample_tcd(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                  const std::vector<TcdWay>& ways, double eta, NoiseSource& noise,
                  const StepCallback& on_step) {
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const TcdWay& way = ways[step.index];
    const auto [x0, eps] = estimate(denoiser, at, step);
    const Tensor next = way.below.alpha * x0 + way.below.sigma * eps;
    if (eta <= 0 || way.timestep <= 0) return next;
    const double kept = step.to.alpha / way.below.alpha;
    return kept * next + std::sqrt(std::max(0.0, 1.0 - squared(kept))) * noise_like(next, noise);
  });
}

SamplingPlan lay_out_tcd(const SchedulerConfig& silent, const RunShape& shape) {
  const SchedulerConfig config = with_betas(silent, 0.00085, 0.012, "scaled_linear");
  const TrainedLevels levels{alphas_cumprod(config, config.rescale_betas_zero_snr)};
  const std::vector<double> timesteps = distilled_timesteps(config, "tcd", shape.steps);
  SamplingPlan plan;
  std::vector<TcdWay> ways;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double to = i + 1 < timesteps.size() ? timesteps[i + 1] : 0.0;
    // The reference rounds in float32.
    ways.push_back({to, levels.at(std::floor(static_cast<float>(1.0 - shape.eta) * static_cast<float>(to)))});
    add_step(plan, {timesteps[i], levels.at(timesteps[i]), levels.at(to)}, levels);
  }
  plan.loop = [ways = std::move(ways), eta = shape.eta](const Denoiser& denoiser, Tensor x, const auto& steps,
                                                        NoiseSource& noise, const StepCallback& on_step) {
    return sample_tcd(denoiser, std::move(x), steps, ways, eta, noise, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler tcd() {
  return {"tcd", "TCDScheduler", {.spacing = false, .zero_snr = true, .eta = true}, lay_out_tcd};
}

}  // namespace sdgen
