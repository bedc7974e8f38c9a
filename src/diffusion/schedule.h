// Noise schedules as data: how much signal and noise each timestep holds, and which timesteps a run visits.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "diffusion/flow.h"

namespace sdgen {

enum class PredictionType { kEpsilon, kVPrediction, kSample, kFlow };
enum class TimestepSpacing {
  kLeading,
  kTrailing,
  kLinspace
};  // "Common Diffusion Noise Schedules ...", table 2
enum class VarianceType { kFixedSmall, kFixedSmallLog, kFixedLarge };
// How a run's sigmas are spread, where they are not those of its timesteps.
enum class SigmaSchedule {
  kTimesteps,
  kKarras,       // "Elucidating the Design Space of Diffusion-Based Generative Models", eq. 5
  kExponential,  // even steps of log sigma
  kBeta,         // "Beta Sampling is All You Need", quantiles of Beta(0.6, 0.6)
  kLu            // even steps of lambda ("DPM-Solver", section 3.4)
};

// scheduler/scheduler_config.json. Empty optionals: the folder is silent, so each sampler has its own
// default, which is what diffusers' from_config does.
struct SchedulerConfig {
  std::string class_name = "DDIMScheduler";
  int num_train_timesteps = 1000;
  std::optional<double> beta_start;          // most classes: 0.0001
  std::optional<double> beta_end;            // most classes: 0.02
  std::optional<std::string> beta_schedule;  // linear (of most classes), scaled_linear, squaredcos_cap_v2
  std::vector<double> trained_betas;         // instead of a beta_schedule
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
  // Samplers that step in sigma.
  SigmaSchedule sigma_schedule = SigmaSchedule::kTimesteps;  // use_karras_sigmas, ...
  std::optional<double> sigma_min, sigma_max;                // ends of these schedules instead of the table's
  bool log_linear_sigmas = false;                            // interpolation_type
  bool continuous_timesteps = false;                         // timestep_type
  // DPM-Solver, DEIS, UniPC.
  std::string algorithm_type;  // as written; empty: silent
  std::string solver_type;     // midpoint, heun, logrho, bh1, bh2; empty: silent
  int solver_order = 2;
  std::optional<bool> lower_order_final;
  bool euler_at_final = false;
  std::optional<double> lambda_min_clipped;
  bool predict_x0 = true;
  std::vector<int> disable_corrector;
  // LCM, TCD.
  int original_inference_steps = 50;
  double timestep_scaling = 10.0;
  FlowSchedule flow;  // where the prediction type is kFlow: of the FlowMatch classes
  // Keys set to what no sampler does yet: refused, when a run is planned, by those whose class knows the key.
  std::vector<std::string> unsupported;

  // Throws Error(kInput) naming file and key for values that are unknown or out of range.
  static SchedulerConfig read(const Config& config);
};

// What a request says in a scheduler config's place; empty: nothing.
struct ScheduleOverrides {
  std::optional<std::string> schedule{};          // normal, karras, exponential, beta, lu
  std::optional<std::string> prediction_type{};   // epsilon, v_prediction, sample
  std::optional<std::string> timestep_spacing{};  // leading, trailing, linspace
  std::optional<bool> zero_snr{};
  double eta = 0.0;
};

// `config` with what `overrides` say of schedule, prediction type, spacing and zero SNR. Throws
// Error(kRequest) for unknown names, and for all but the schedule where the model is a flow's.
SchedulerConfig overridden(SchedulerConfig config, const ScheduleOverrides& overrides);

// `config` with betas where it is silent: classes differ in their defaults.
SchedulerConfig with_betas(SchedulerConfig config, double start, double end, const std::string& schedule);

// x_t = alpha x_0 + sigma eps. Variance-preserving samplers keep alpha^2 + sigma^2 = 1, Euler's keep alpha
// = 1, flows alpha + sigma = 1.
struct Level {
  double alpha = 1.0;
  double sigma = 0.0;
};

// The cumulative product of 1 - beta at each training timestep, computed in float32 as the reference does, so
// that tables agree to the last bit. Throws Error(kInput) for an unknown beta_schedule.
std::vector<double> alphas_cumprod(const SchedulerConfig& config, bool rescale_zero_snr);

// The timesteps a run of `steps` visits, from noise to picture; whole numbers but for fractional linspace
// (Euler's).
std::vector<double> spaced_timesteps(const SchedulerConfig& config, TimestepSpacing spacing, int steps,
                                     bool fractional);

// The same by DPM-Solver's rules: of `steps` + 1 points the last, at the picture, is left out. `train` counts
// the timesteps that take part.
std::vector<double> solver_timesteps(const SchedulerConfig& config, TimestepSpacing spacing, int steps,
                                     int train);

}  // namespace sdgen
