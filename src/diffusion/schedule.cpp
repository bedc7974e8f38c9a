#include "diffusion/schedule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sdgen {
namespace {

at::Tensor cosine_betas(int timesteps) {  // "Improved Denoising Diffusion Probabilistic Models", eq. 17
  const auto alpha_bar = [](double t) {
    return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2), 2);
  };
  std::vector<double> betas;
  for (int i = 0; i < timesteps; ++i)
    betas.push_back(std::min(
        1.0 - alpha_bar((i + 1.0) / timesteps) / alpha_bar(static_cast<double>(i) / timesteps), 0.999));
  return at::tensor(betas, at::kDouble).to(at::kFloat);
}

at::Tensor betas_of(const SchedulerConfig& config) {
  const int count = config.num_train_timesteps;
  const double start = config.beta_start.value_or(0.0001), end = config.beta_end.value_or(0.02);
  const std::string schedule = config.beta_schedule.value_or("linear");
  if (!config.trained_betas.empty()) return at::tensor(config.trained_betas, at::kDouble).to(at::kFloat);
  if (schedule == "linear") return at::linspace(start, end, count, at::kFloat);
  if (schedule == "scaled_linear")
    return at::linspace(std::sqrt(start), std::sqrt(end), count, at::kFloat).pow(2);
  if (schedule == "squaredcos_cap_v2") return cosine_betas(count);
  fail_input("scheduler_config.json: ",
             unknown_name("beta_schedule", schedule, {"linear", "scaled_linear", "squaredcos_cap_v2"}));
}

// "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1
at::Tensor rescale_zero_terminal_snr(const at::Tensor& betas) {
  at::Tensor bar = at::cumprod(1.0 - betas, 0).sqrt();
  const at::Tensor first = bar[0].clone();
  const at::Tensor last = bar[-1].clone();
  bar = ((bar - last) * (first / (first - last))).pow(2);
  const at::Tensor alphas = at::cat({bar.slice(0, 0, 1), bar.slice(0, 1) / bar.slice(0, 0, -1)});
  return 1.0 - alphas;
}

// Halves are rounded to even, as numpy does.
double rounded(double value) {
  return std::nearbyint(value);
}

}  // namespace

std::vector<double> alphas_cumprod(const SchedulerConfig& config, bool rescale_zero_snr) {
  at::Tensor betas = betas_of(config);
  if (rescale_zero_snr) betas = rescale_zero_terminal_snr(betas);
  const at::Tensor cumprod = at::cumprod(1.0 - betas, 0).to(at::kDouble).contiguous();
  return {cumprod.data_ptr<double>(), cumprod.data_ptr<double>() + cumprod.numel()};
}

std::vector<double> spaced_timesteps(const SchedulerConfig& config, TimestepSpacing spacing, int steps,
                                     bool fractional) {
  const int train = config.num_train_timesteps;
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    switch (spacing) {
      case TimestepSpacing::kLeading:
        timesteps.push_back(static_cast<double>(steps - 1 - i) * (train / steps) + config.steps_offset);
        break;
      case TimestepSpacing::kTrailing:  // for some counts (61) the reference's float range runs one step too
                                        // far, to t = -1; ours does not
        timesteps.push_back(rounded(train - i * (static_cast<double>(train) / steps)) - 1);
        break;
      case TimestepSpacing::kLinspace: {
        const double t = steps == 1 ? 0.0 : (steps - 1 - i) * ((train - 1.0) / (steps - 1));
        timesteps.push_back(fractional ? static_cast<double>(static_cast<float>(t)) : rounded(t));
        break;
      }
    }
  }
  return timesteps;
}

std::vector<double> solver_timesteps(const SchedulerConfig& config, TimestepSpacing spacing, int steps,
                                     int train) {
  std::vector<double> timesteps;
  if (spacing == TimestepSpacing::kTrailing) {
    const double ratio = static_cast<double>(config.num_train_timesteps) / steps;
    for (int i = 0; i < steps && train - i * ratio > 0; ++i)
      timesteps.push_back(std::max(0.0, rounded(train - i * ratio) - 1));
    return timesteps;
  }
  for (int i = steps; i >= 1; --i)
    timesteps.push_back(spacing == TimestepSpacing::kLeading
                            ? static_cast<double>(i) * (train / (steps + 1)) + config.steps_offset
                            : rounded(i * ((train - 1.0) / steps)));
  return timesteps;
}

}  // namespace sdgen
