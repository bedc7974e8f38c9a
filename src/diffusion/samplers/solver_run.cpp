#include "diffusion/samplers/solver_run.h"

namespace sdgen {
namespace {

constexpr std::size_t kFewSteps = 15;  // fewer than these end at a lower order, for stability

struct SolverRun {
  std::vector<double> timesteps;
  std::vector<double> sigmas;  // one more
};

// The timesteps that are left where lambda = log(alpha / sigma) is to be no lower than a bound.
int clipped_train(const SchedulerConfig& config, const SigmaTable& table) {
  int train = config.num_train_timesteps;
  if (!config.lambda_min_clipped) return train;
  while (train > 0 && -table.logs[static_cast<std::size_t>(train) - 1] < *config.lambda_min_clipped) --train;
  if (train == 0)
    fail_input("scheduler_config.json: lambda_min_clipped ", *config.lambda_min_clipped,
               " leaves no timestep");
  return train;
}

SolverRun timesteps_run(const SchedulerConfig& config, const SigmaTable& table, int count,
                        const SolverRules& rules) {
  const TimestepSpacing own = config.timestep_spacing.value_or(TimestepSpacing::kLinspace);
  const TimestepSpacing spacing = rules.spacings ? own : TimestepSpacing::kLinspace;
  const int train = rules.clips_lambda ? clipped_train(config, table) : config.num_train_timesteps;
  SolverRun run;
  run.timesteps = solver_timesteps(config, spacing, count, train);
  for (const double t : run.timesteps) run.sigmas.push_back(table.at(t));
  return run;
}

// Other sigmas, over the table's whole range, and the timesteps that are nearest or just below.
SolverRun spread_run(const SchedulerConfig& config, const SigmaTable& table, int count,
                     const SolverRules& rules) {
  const SigmaSchedule schedule = config.sigma_schedule;
  const bool is_lu = schedule == SigmaSchedule::kLu;
  const double high = is_lu ? std::exp(static_cast<double>(table.logs.back()))
                            : config.sigma_max.value_or(table.sigmas.back());
  const double low = is_lu ? std::exp(static_cast<double>(table.logs.front()))
                           : config.sigma_min.value_or(table.sigmas.front());
  const bool rounds = (schedule == SigmaSchedule::kKarras || is_lu) && rules.rounds_karras;
  SolverRun run;
  run.sigmas = spread_sigmas(schedule, high, low, count);
  for (const double sigma : run.sigmas) {
    const double t = table.timestep_of(sigma);
    run.timesteps.push_back(rounds ? std::nearbyint(t) : std::floor(t));
  }
  return run;
}

SolverRun solver_run(const SchedulerConfig& config, const SigmaTable& table, int count,
                     const SolverRules& rules) {
  const bool is_spread = config.sigma_schedule != SigmaSchedule::kTimesteps &&
                         (config.sigma_schedule != SigmaSchedule::kLu || rules.lu);
  SolverRun run =
      is_spread ? spread_run(config, table, count, rules) : timesteps_run(config, table, count, rules);
  if (rules.may_end_at_zero && config.final_sigma_is_zero)
    run.sigmas.push_back(0.0);
  else
    run.sigmas.push_back(is_spread && rules.repeats_last ? run.sigmas.back() : table.sigmas.front());
  for (double& sigma : run.sigmas) sigma = static_cast<float>(sigma);
  return run;
}

Level level_of(double sigma) {
  const double alpha = 1.0 / std::sqrt(sigma * sigma + 1.0);
  return {alpha, sigma * alpha};
}

}  // namespace

SamplingPlan solver_plan(const SchedulerConfig& config, const SigmaTable& table, int count,
                         const SolverRules& rules) {
  const SolverRun run = solver_run(config, table, count, rules);
  SamplingPlan plan;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    const Level from = level_of(run.sigmas[i]);
    plan.entries.push_back({run.timesteps[i], from});
    plan.steps.push_back({run.timesteps[i], from, level_of(run.sigmas[i + 1])});
  }
  return plan;
}

std::vector<std::size_t> multistep_orders(std::size_t count, int order, bool lower_at_end,
                                          bool first_order_last) {
  const bool lowers = lower_at_end && count < kFewSteps;
  std::vector<std::size_t> orders(count, static_cast<std::size_t>(order));
  if (lowers && count >= 2) orders[count - 2] = std::min<std::size_t>(orders[count - 2], 2);
  if (count >= 1 && (first_order_last || lowers)) orders.back() = 1;
  return orders;
}

Integrator::Integrator(const Level& from, const Level& to, bool has_noise)
    : h(lambda(to) - lambda(from)), alpha(to.alpha), sigma(to.sigma), has_noise(has_noise) {
  way = has_noise ? 2.0 * h : h;
  x_weight = to.sigma / from.sigma * (has_noise ? std::exp(-h) : 1.0);
  reached = -std::expm1(-way);
}

double Integrator::third() const {
  const double share = (way - reached) / squared(way);
  return has_noise ? -alpha * (0.5 + share) : alpha * (0.5 - share);
}

}  // namespace sdgen
