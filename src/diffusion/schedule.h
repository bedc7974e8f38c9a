// Noise schedules as data: how much signal and noise each timestep holds, and which timesteps a run visits.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"

namespace sdgen {

enum class PredictionType { kEpsilon, kVPrediction, kSample };
enum class TimestepSpacing {
  kLeading,
  kTrailing,
  kLinspace
};  // "Common Diffusion Noise Schedules ...", table 2
enum class VarianceType { kFixedSmall, kFixedSmallLog, kFixedLarge };

// scheduler/scheduler_config.json. Empty optionals: the folder is silent, so each sampler has its own
// default, which is what diffusers' from_config does.
struct SchedulerConfig {
  std::string class_name = "DDIMScheduler";
  int num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  std::string beta_schedule = "linear";  // linear, scaled_linear, squaredcos_cap_v2
  std::vector<double> trained_betas;     // instead of a beta_schedule
  PredictionType prediction_type = PredictionType::kEpsilon;
  std::optional<TimestepSpacing> timestep_spacing;
  int steps_offset = 0;
  std::optional<bool> set_alpha_to_one;
  bool rescale_betas_zero_snr = false;
  std::optional<bool> clip_sample;
  double clip_sample_range = 1.0;
  VarianceType variance_type = VarianceType::kFixedSmall;
  bool skip_prk_steps = false;
  bool final_sigma_is_zero = true;  // final_sigmas_type: zero or sigma_min
  // Keys whose values only some samplers would have to honour, and cannot: refused by these when a run is
  // planned.
  std::vector<std::string> unsupported_by_euler;      // Karras and other spacings of sigmas
  std::vector<std::string> unsupported_by_ddim_ddpm;  //  dynamic thresholding, learned variance

  // Throws Error(kInput) naming file and key for values that are unknown or out of range.
  static SchedulerConfig read(const Config& config);
};

// x_t = alpha x_0 + sigma eps. Variance-preserving samplers keep alpha^2 + sigma^2 = 1, Euler's keep alpha
// = 1.
struct Level {
  double alpha = 1.0;
  double sigma = 0.0;
};

// One evaluation of the network and the way it is used for.
struct Step {
  double timestep = 0.0;  // given to the network
  Level from;
  Level to;
};

// The cumulative product of 1 - beta at each training timestep, computed in float32 as the reference does, so
// that tables agree to the last bit. Throws Error(kInput) for an unknown beta_schedule.
std::vector<double> alphas_cumprod(const SchedulerConfig& config, bool rescale_zero_snr);

// The timesteps a run of `steps` visits, from noise to picture; whole numbers but for fractional linspace
// (Euler's).
std::vector<double> spaced_timesteps(const SchedulerConfig& config, TimestepSpacing spacing, int steps,
                                     bool fractional);

}  // namespace sdgen
