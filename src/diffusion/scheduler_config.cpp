#include <algorithm>
#include <map>

#include "base/config_range.h"
#include "diffusion/schedule.h"

namespace sdgen {
namespace {

constexpr Range kTimesteps{1, 1'000'000};

template <typename T>
using Names = std::map<std::string, T>;

const Names<PredictionType> kPredictionTypes = {{"epsilon", PredictionType::kEpsilon},
                                                {"v_prediction", PredictionType::kVPrediction},
                                                {"sample", PredictionType::kSample}};
const Names<TimestepSpacing> kSpacings = {{"leading", TimestepSpacing::kLeading},
                                          {"trailing", TimestepSpacing::kTrailing},
                                          {"linspace", TimestepSpacing::kLinspace}};
const Names<VarianceType> kVarianceTypes = {{"fixed_small", VarianceType::kFixedSmall},
                                            {"fixed_small_log", VarianceType::kFixedSmallLog},
                                            {"fixed_large", VarianceType::kFixedLarge}};

template <typename T>
std::vector<std::string> keys(const Names<T>& values) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  return names;
}

template <typename T>
T named_value(const Config& config, const std::string& key, const std::string& fallback,
              const Names<T>& values) {
  const auto name = config.value<std::string>(key, fallback);
  if (const auto value = values.find(name); value != values.end()) return value->second;
  fail_input(config.path.string(), ": key '", key, "': ", unknown_name("value", name, keys(values)));
}

template <typename T>
T requested(const std::string& flag, const std::string& name, const Names<T>& values) {
  if (const auto value = values.find(name); value != values.end()) return value->second;
  fail_request(unknown_name(flag, name, keys(values)));
}

int count(const Config& config, const std::string& key, Range range, int fallback) {
  return static_cast<int>(whole_number(config, key, range, fallback));
}

template <typename T>
std::optional<T> told(const Config& config, const std::string& key) {
  if (!config.has(key)) return std::nullopt;
  return config.at<T>(key);
}

SigmaSchedule read_sigma_schedule(const Config& config) {
  const std::vector<std::pair<std::string, SigmaSchedule>> flags = {
      {"use_karras_sigmas", SigmaSchedule::kKarras},
      {"use_exponential_sigmas", SigmaSchedule::kExponential},
      {"use_beta_sigmas", SigmaSchedule::kBeta},
      {"use_lu_lambdas", SigmaSchedule::kLu}};
  SigmaSchedule schedule = SigmaSchedule::kTimesteps;
  std::string first;
  for (const auto& [key, value] : flags) {
    if (!config.value(key, false)) continue;
    if (!first.empty())
      fail_input(config.path.string(), ": ", first, " and ", key, " exclude each other; keep one of them");
    first = key;
    schedule = value;
  }
  return schedule;
}

void read_solver(const Config& config, SchedulerConfig& scheduler) {
  const Names<std::string> solvers = {{"", ""},         {"midpoint", "midpoint"},
                                      {"heun", "heun"}, {"logrho", "logrho"},
                                      {"bh1", "bh1"},   {"bh2", "bh2"}};
  scheduler.algorithm_type = config.value<std::string>("algorithm_type", "");
  scheduler.solver_type = named_value(config, "solver_type", "", solvers);
  scheduler.solver_order = count(config, "solver_order", {1, 3}, 2);
  scheduler.lower_order_final = told<bool>(config, "lower_order_final");
  scheduler.euler_at_final = config.value("euler_at_final", false);
  scheduler.lambda_min_clipped = told<double>(config, "lambda_min_clipped");
  scheduler.predict_x0 = config.value("predict_x0", true);
  scheduler.disable_corrector = config.value("disable_corrector", std::vector<int>{});
  for (const std::string key : {"thresholding", "use_flow_sigmas"})
    if (config.value(key, false)) scheduler.unsupported.push_back(key);
  if (config.has("solver_p")) scheduler.unsupported.push_back("solver_p");
}

void check_ranges(const Config& config, const SchedulerConfig& scheduler) {
  if (!scheduler.trained_betas.empty() && scheduler.num_train_timesteps > kTimesteps.most)
    fail_input(config.path.string(), ": key 'trained_betas' has ", scheduler.trained_betas.size(),
               " values; expected ", kTimesteps.least, " to ", kTimesteps.most);
  require_range(config, "steps_offset", scheduler.steps_offset, {0, scheduler.num_train_timesteps - 1});
  std::vector<double> betas = scheduler.trained_betas;
  betas.insert(betas.end(), {scheduler.beta_start.value_or(0.0), scheduler.beta_end.value_or(0.0)});
  for (const double beta : betas)
    if (!(beta >= 0.0 && beta <= 1.0))
      fail_input(config.path.string(), ": beta ", beta, " is out of range (0 to 1)");
}

}  // namespace

SchedulerConfig SchedulerConfig::read(const Config& config) {
  SchedulerConfig scheduler;
  scheduler.class_name = config.value<std::string>("_class_name", "");
  const bool is_flow = scheduler.class_name.starts_with("FlowMatch");
  scheduler.num_train_timesteps = count(config, "num_train_timesteps", kTimesteps, 1000);
  scheduler.beta_start = told<double>(config, "beta_start");
  scheduler.beta_end = told<double>(config, "beta_end");
  scheduler.beta_schedule = told<std::string>(config, "beta_schedule");
  scheduler.trained_betas = config.value("trained_betas", std::vector<double>{});
  scheduler.prediction_type =
      is_flow ? PredictionType::kFlow : named_value(config, "prediction_type", "epsilon", kPredictionTypes);
  if (is_flow) scheduler.flow = FlowSchedule::read(config);
  if (config.has("timestep_spacing"))
    scheduler.timestep_spacing = named_value(config, "timestep_spacing", "", kSpacings);
  scheduler.steps_offset = count(config, "steps_offset", {0, kTimesteps.most}, 0);
  scheduler.set_alpha_to_one = told<bool>(config, "set_alpha_to_one");
  scheduler.rescale_betas_zero_snr = config.value("rescale_betas_zero_snr", false);
  scheduler.clip_sample = told<bool>(config, "clip_sample");
  scheduler.clip_sample_range = config.value("clip_sample_range", 1.0);
  if (config.value<std::string>("variance_type", "").starts_with("learned"))
    scheduler.unsupported.push_back("variance_type");
  else
    scheduler.variance_type = named_value(config, "variance_type", "fixed_small", kVarianceTypes);
  scheduler.skip_prk_steps = config.value("skip_prk_steps", false);
  scheduler.final_sigma_is_zero =
      named_value<bool>(config, "final_sigmas_type", "zero", {{"zero", true}, {"sigma_min", false}});
  scheduler.sigma_schedule = read_sigma_schedule(config);
  scheduler.sigma_min = told<double>(config, "sigma_min");
  scheduler.sigma_max = told<double>(config, "sigma_max");
  scheduler.log_linear_sigmas =
      named_value<bool>(config, "interpolation_type", "linear", {{"linear", false}, {"log_linear", true}});
  scheduler.continuous_timesteps =
      named_value<bool>(config, "timestep_type", "discrete", {{"discrete", false}, {"continuous", true}});
  read_solver(config, scheduler);
  scheduler.original_inference_steps = count(config, "original_inference_steps", kTimesteps, 50);
  scheduler.timestep_scaling = config.value("timestep_scaling", 10.0);
  if (!scheduler.trained_betas.empty())
    scheduler.num_train_timesteps = static_cast<int>(scheduler.trained_betas.size());
  check_ranges(config, scheduler);
  alphas_cumprod(scheduler, false);  // an unknown beta_schedule is refused here, before anything is drawn
  return scheduler;
}

SchedulerConfig overridden(SchedulerConfig config, const ScheduleOverrides& overrides) {
  const Names<SigmaSchedule> schedules = {{"normal", SigmaSchedule::kTimesteps},
                                          {"karras", SigmaSchedule::kKarras},
                                          {"exponential", SigmaSchedule::kExponential},
                                          {"beta", SigmaSchedule::kBeta},
                                          {"lu", SigmaSchedule::kLu}};
  if (config.prediction_type == PredictionType::kFlow)
    for (const auto& [flag, is_told] : {std::pair{"prediction-type", overrides.prediction_type.has_value()},
                                        std::pair{"timestep-spacing", overrides.timestep_spacing.has_value()},
                                        std::pair{"zero-snr", overrides.zero_snr.value_or(false)}})
      if (is_told) fail_request(flag, ": this model is a flow's, which knows no such thing");
  if (overrides.schedule) config.sigma_schedule = requested("schedule", *overrides.schedule, schedules);
  if (overrides.prediction_type)
    config.prediction_type = requested("prediction-type", *overrides.prediction_type, kPredictionTypes);
  if (overrides.timestep_spacing)
    config.timestep_spacing = requested("timestep-spacing", *overrides.timestep_spacing, kSpacings);
  if (overrides.zero_snr) config.rescale_betas_zero_snr = *overrides.zero_snr;
  return config;
}

SchedulerConfig with_betas(SchedulerConfig config, double start, double end, const std::string& schedule) {
  if (!config.beta_start) config.beta_start = start;
  if (!config.beta_end) config.beta_end = end;
  if (!config.beta_schedule) config.beta_schedule = schedule;
  return config;
}

}  // namespace sdgen
