// "Pseudo Numerical Methods for Diffusion Models on Manifolds", eq. 9, 12, 13; without its Runge-Kutta start
// PLMS.
#include "diffusion/samplers/layout.h"
#include "diffusion/samplers/steps.h"

namespace sdgen {
namespace {

constexpr std::size_t kRungeKuttaEvaluations = 12;  // three groups of four

// x at `to` from x at `from` along eps: eq. 9, which is DDIM's step written so that no x_0 is needed.
Tensor pndm_transfer(const Denoiser& denoiser, const Tensor& output, const Tensor& x, const Level& from,
                     const Level& to) {
  // diffusers turns v into eps by the level stepped from, after mixing outputs; a sample prediction likewise.
  const Tensor eps = estimate_from_output(denoiser.prediction_type, output, x, from).eps;
  const double denominator = squared(from.alpha) * to.sigma + from.alpha * from.sigma * to.alpha;
  return (to.alpha / from.alpha) * x - ((squared(to.alpha) - squared(from.alpha)) / denominator) * eps;
}

Tensor sample_pndm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   std::size_t runge_kutta, const StepCallback& on_step) {
  std::deque<Tensor> outputs;  // the newest four that linear_multistep looks at
  Tensor anchor;               // x where a Runge-Kutta group, or the doubled first PLMS step, set out
  Tensor group_sum;            // weighted outputs of a Runge-Kutta group
  const std::vector<double> weights = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
  for (std::size_t i = 0; i < steps.size(); ++i) {  // from where the run enters, as lay_out_pndm() counts
    const Step& step = steps[i];
    const Tensor output = denoiser.output(x, step);
    Tensor direction = output;
    const bool second_plms_step = runge_kutta == 0 && i == 1;
    if (i < runge_kutta) {  // eq. 13
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
    const bool from_anchor = i < runge_kutta || second_plms_step;
    x = pndm_transfer(denoiser, direction, from_anchor ? anchor : x, step.from, step.to);
    on_step(step, x);
  }
  return x;
}

// The timesteps, with the second one twice, or with the Runge-Kutta start's own, two a half step.
std::vector<double> listed_timesteps(const SchedulerConfig& config, const std::vector<double>& spaced,
                                     int half) {
  std::vector<double> timesteps;
  if (config.skip_prk_steps) {
    timesteps = spaced;
    if (spaced.size() > 1) timesteps.insert(timesteps.begin() + 1, spaced[1]);
    return timesteps;
  }
  for (std::size_t group = 0; group < 3; ++group)
    timesteps.insert(timesteps.end(),
                     {spaced[group], spaced[group + 1] + half, spaced[group + 1] + half, spaced[group + 1]});
  timesteps.insert(timesteps.end(), spaced.begin() + 3, spaced.end());
  return timesteps;
}

SamplingPlan lay_out_pndm(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "pndm", shape.steps, config.skip_prk_steps ? 1 : 4);
  if (config.prediction_type == PredictionType::kSample)
    fail_request("sampler pndm cannot sample a model that predicts the sample; use ddim, ddpm or euler");
  const TimestepSpacing spacing = config.timestep_spacing.value_or(TimestepSpacing::kLeading);
  // The reference's class knows no zero-terminal-SNR rescaling: its formula divides by alpha.
  TrainedLevels levels{alphas_cumprod(config, false)};
  if (!config.set_alpha_to_one.value_or(false)) levels.final_cumprod = levels.cumprod.front();
  const int ratio = config.num_train_timesteps / shape.steps, half = ratio / 2;
  const std::vector<double> timesteps =
      listed_timesteps(config, spaced_timesteps(config, spacing, shape.steps, false), half);
  const std::size_t runge_kutta = config.skip_prk_steps ? 0 : kRungeKuttaEvaluations;
  SamplingPlan plan;
  for (const double t : timesteps) plan.entries.push_back({t, levels.at(t)});
  const std::size_t end = checked_end(shape.range, timesteps.size(), 1);
  plan.first = shape.range.first;
  // The reference counts from 0 wherever the list is entered: the start is taken there, too.
  for (std::size_t i = plan.first, counter = 0; i < end; ++i, ++counter) {
    const double t = timesteps[i];
    if (counter < runge_kutta)
      plan.steps.push_back(
          {t, levels.at(timesteps[counter / 4 * 4]), levels.at(counter % 2 == 0 ? t - half : t), i});
    else if (counter == 1)  // the first step again, with what is learnt at its end
      plan.steps.push_back({t, levels.at(t + ratio), levels.at(t), i});
    else
      plan.steps.push_back({t, levels.at(t), levels.at(t - ratio), i});
  }
  plan.loop = [runge_kutta](const Denoiser& denoiser, Tensor x, const auto& steps, NoiseSource&,
                            const StepCallback& on_step) {
    return sample_pndm(denoiser, std::move(x), steps, runge_kutta, on_step);
  };
  return plan;
}

}  // namespace

Sampler pndm() {
  return {"pndm", "PNDMScheduler", {}, lay_out_pndm};
}

}  // namespace sdgen
