#include "diffusion/schedule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace sdgen {
namespace {

template <typename T>
T named_value(const Config& config, const std::string& key, const std::string& fallback,
              const std::map<std::string, T>& values) {
  const auto name = config.value<std::string>(key, fallback);
  if (const auto value = values.find(name); value != values.end()) return value->second;
  std::vector<std::string> known;
  for (const auto& [known_name, value] : values) known.push_back(known_name);
  fail_input(config.path.string(), ": key '", key, "': ", unknown_name("value", name, known));
}

void note_unsupported(const Config& config, SchedulerConfig& scheduler) {
  for (const std::string key : {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"})
    if (config.value(key, false)) scheduler.unsupported_by_euler.push_back(key);
  if (config.value<std::string>("interpolation_type", "linear") != "linear")
    scheduler.unsupported_by_euler.push_back("interpolation_type");
  if (config.value<std::string>("timestep_type", "discrete") != "discrete")
    scheduler.unsupported_by_euler.push_back("timestep_type");
  if (config.value("thresholding", false)) scheduler.unsupported_by_ddim_ddpm.push_back("thresholding");
}

void check_ranges(const Config& config, const SchedulerConfig& scheduler) {
  if (scheduler.num_train_timesteps < 1 || scheduler.num_train_timesteps > 1'000'000)
    fail_input(config.path.string(), ": num_train_timesteps ", scheduler.num_train_timesteps,
               " is out of range");
  if (scheduler.steps_offset < 0 || scheduler.steps_offset >= scheduler.num_train_timesteps)
    fail_input(config.path.string(), ": steps_offset ", scheduler.steps_offset, " is out of range");
  std::vector<double> betas = scheduler.trained_betas;
  betas.insert(betas.end(), {scheduler.beta_start, scheduler.beta_end});
  for (const double beta : betas)
    if (!(beta >= 0.0 && beta <= 1.0))
      fail_input(config.path.string(), ": beta ", beta, " is out of range (0 to 1)");
}

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
  if (!config.trained_betas.empty()) return at::tensor(config.trained_betas, at::kDouble).to(at::kFloat);
  if (config.beta_schedule == "linear")
    return at::linspace(config.beta_start, config.beta_end, count, at::kFloat);
  if (config.beta_schedule == "scaled_linear")
    return at::linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), count, at::kFloat).pow(2);
  if (config.beta_schedule == "squaredcos_cap_v2") return cosine_betas(count);
  fail_input("scheduler_config.json: ", unknown_name("beta_schedule", config.beta_schedule,
                                                     {"linear", "scaled_linear", "squaredcos_cap_v2"}));
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

}  // namespace

SchedulerConfig SchedulerConfig::read(const Config& config) {
  SchedulerConfig scheduler;
  note_unsupported(config, scheduler);
  scheduler.class_name = config.value<std::string>("_class_name", "");
  scheduler.num_train_timesteps = config.value("num_train_timesteps", 1000);
  scheduler.beta_start = config.value("beta_start", 0.0001);
  scheduler.beta_end = config.value("beta_end", 0.02);
  scheduler.beta_schedule = config.value<std::string>("beta_schedule", "linear");
  scheduler.trained_betas = config.value("trained_betas", std::vector<double>{});
  scheduler.prediction_type = named_value<PredictionType>(config, "prediction_type", "epsilon",
                                                          {{"epsilon", PredictionType::kEpsilon},
                                                           {"v_prediction", PredictionType::kVPrediction},
                                                           {"sample", PredictionType::kSample}});
  if (config.has("timestep_spacing"))
    scheduler.timestep_spacing = named_value<TimestepSpacing>(config, "timestep_spacing", "",
                                                              {{"leading", TimestepSpacing::kLeading},
                                                               {"trailing", TimestepSpacing::kTrailing},
                                                               {"linspace", TimestepSpacing::kLinspace}});
  scheduler.steps_offset = config.value("steps_offset", 0);
  if (config.has("set_alpha_to_one")) scheduler.set_alpha_to_one = config.at<bool>("set_alpha_to_one");
  scheduler.rescale_betas_zero_snr = config.value("rescale_betas_zero_snr", false);
  if (config.has("clip_sample")) scheduler.clip_sample = config.at<bool>("clip_sample");
  scheduler.clip_sample_range = config.value("clip_sample_range", 1.0);
  if (config.value<std::string>("variance_type", "").starts_with("learned"))
    scheduler.unsupported_by_ddim_ddpm.push_back("variance_type");
  else
    scheduler.variance_type = named_value<VarianceType>(config, "variance_type", "fixed_small",
                                                        {{"fixed_small", VarianceType::kFixedSmall},
                                                         {"fixed_small_log", VarianceType::kFixedSmallLog},
                                                         {"fixed_large", VarianceType::kFixedLarge}});
  scheduler.skip_prk_steps = config.value("skip_prk_steps", false);
  scheduler.final_sigma_is_zero =
      named_value<bool>(config, "final_sigmas_type", "zero", {{"zero", true}, {"sigma_min", false}});
  if (!scheduler.trained_betas.empty())
    scheduler.num_train_timesteps = static_cast<int>(scheduler.trained_betas.size());
  check_ranges(config, scheduler);
  betas_of(scheduler);  // an unknown beta_schedule is refused here, before anything is drawn
  return scheduler;
}

std::vector<double> alphas_cumprod(const SchedulerConfig& config, bool rescale_zero_snr) {
  at::Tensor betas = betas_of(config);
  if (rescale_zero_snr) betas = rescale_zero_terminal_snr(betas);
  const at::Tensor cumprod = at::cumprod(1.0 - betas, 0).to(at::kDouble).contiguous();
  return {cumprod.data_ptr<double>(), cumprod.data_ptr<double>() + cumprod.numel()};
}

std::vector<double> spaced_timesteps(const SchedulerConfig& config, TimestepSpacing spacing, int steps,
                                     bool fractional) {
  // nearbyint rounds halves to even, as numpy does.
  const int train = config.num_train_timesteps;
  std::vector<double> timesteps;
  for (int i = 0; i < steps; ++i) {
    switch (spacing) {
      case TimestepSpacing::kLeading:
        timesteps.push_back(static_cast<double>(steps - 1 - i) * (train / steps) + config.steps_offset);
        break;
      case TimestepSpacing::kTrailing:  // for some counts (61) the reference's float range runs one step too
                                        // far, to t = -1; ours does not
        timesteps.push_back(std::nearbyint(train - i * (static_cast<double>(train) / steps)) - 1);
        break;
      case TimestepSpacing::kLinspace: {
        const double t = steps == 1 ? 0.0 : (steps - 1 - i) * ((train - 1.0) / (steps - 1));
        timesteps.push_back(fractional ? static_cast<double>(static_cast<float>(t)) : std::nearbyint(t));
        break;
      }
    }
  }
  return timesteps;
}

}  // namespace sdgen
