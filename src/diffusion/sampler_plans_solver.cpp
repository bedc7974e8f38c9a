// Plans of the exponential integrators: DPM-Solver++, UniPC, DEIS. They step in lambda = log(alpha / sigma)
// and keep alpha^2 + sigma^2 = 1.
#include <algorithm>
#include <cmath>

#include "diffusion/sampler_plans.h"
#include "diffusion/sigmas.h"

namespace sdgen {
namespace {

constexpr std::size_t kFewSteps = 15;  // fewer than these end at a lower order, for stability

// Where the reference's four classes differ beside the formula.
struct Rules {
  bool spacings = true;         // else always linspace
  bool clips_lambda = false;    // lambda_min_clipped
  bool rounds_karras = true;    // timesteps of Karras sigmas; others are cut off
  bool lu = false;              // even lambdas
  bool may_end_at_zero = true;  // final_sigmas_type
  bool repeats_last = false;    // where it does not: a spread's last sigma again, not the table's first
};

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
                        const Rules& rules) {
  const TimestepSpacing own = config.timestep_spacing.value_or(TimestepSpacing::kLinspace);
  const TimestepSpacing spacing = rules.spacings ? own : TimestepSpacing::kLinspace;
  const int train = rules.clips_lambda ? clipped_train(config, table) : config.num_train_timesteps;
  SolverRun run;
  run.timesteps = solver_timesteps(config, spacing, count, train);
  for (const double t : run.timesteps) run.sigmas.push_back(table.at(t));
  return run;
}

// Other sigmas, over the table's whole range, and the timesteps that are nearest or just below.
SolverRun spread_run(const SchedulerConfig& config, const SigmaTable& table, int count, const Rules& rules) {
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

SolverRun solver_run(const SchedulerConfig& config, const SigmaTable& table, int count, const Rules& rules) {
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

SamplingPlan plan_of(const SolverRun& run) {
  SamplingPlan plan;
  for (std::size_t i = 0; i < run.timesteps.size(); ++i) {
    const Level from = level_of(run.sigmas[i]);
    plan.entries.push_back({run.timesteps[i], from});
    plan.steps.push_back({run.timesteps[i], from, level_of(run.sigmas[i + 1])});
  }
  return plan;
}

const std::vector<std::string> kUnsupported = {"thresholding", "variance_type", "use_flow_sigmas"};

// The orders of multistep runs: full, but lower at the end of short runs and where sigma becomes 0.
void set_multistep_orders(SamplingPlan& plan, int order, bool lower_at_end, bool first_order_last) {
  const std::size_t count = plan.steps.size();
  for (std::size_t i = 0; i < count; ++i) {
    plan.steps[i].order = order;
    if (i + 2 == count && lower_at_end && count < kFewSteps) plan.steps[i].order = std::min(order, 2);
    if (i + 1 == count && (first_order_last || (lower_at_end && count < kFewSteps))) plan.steps[i].order = 1;
  }
}

// 1, 2(, 3), 1, 2(, 3), ...; the last step is Euler's where the config, an unfinished group or a final sigma
// of 0 wants that.
void set_singlestep_orders(SamplingPlan& plan, const SchedulerConfig& config) {
  const std::size_t order = static_cast<std::size_t>(config.solver_order);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) plan.steps[i].order = static_cast<int>(i % order) + 1;
  const bool is_whole = plan.steps.size() % order == 0;
  if (config.final_sigma_is_zero || (is_whole && config.lower_order_final.value_or(false)))
    plan.steps.back().order = 1;
}

}  // namespace

SamplingPlan plan_dpmpp_2m(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "dpm++2m", count);
  require_supported(config, "dpm++2m", kUnsupported);
  const Rules rules{.clips_lambda = true,
                    .rounds_karras = config.beta_schedule.value_or("") != "squaredcos_cap_v2",
                    .lu = true};
  SamplingPlan plan = plan_of(solver_run(config, SigmaTable(lifted_cumprod(config)), count, rules));
  set_multistep_orders(plan, config.solver_order, config.lower_order_final.value_or(true),
                       config.euler_at_final || config.final_sigma_is_zero);
  plan.options.heun = config.solver_type == "heun";
  return cut(std::move(plan), range);
}

SamplingPlan plan_dpmpp_2s(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "dpm++2s", count);
  require_supported(config, "dpm++2s", kUnsupported);
  const Rules rules{.spacings = false, .clips_lambda = true};
  SamplingPlan plan = plan_of(solver_run(config, SigmaTable(alphas_cumprod(config, false)), count, rules));
  set_singlestep_orders(plan, config);
  plan.options.heun = config.solver_type == "heun";
  return cut(std::move(plan), range);
}

SamplingPlan plan_unipc(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "unipc", count);
  require_supported(config, "unipc", {"thresholding", "use_flow_sigmas", "solver_p"});
  const Rules rules{.repeats_last = true};
  SamplingPlan plan = plan_of(solver_run(config, SigmaTable(lifted_cumprod(config)), count, rules));
  const int length = static_cast<int>(plan.steps.size());
  const std::vector<int>& uncorrected = config.disable_corrector;
  for (int i = 0; i < length; ++i) {
    Step& step = plan.steps[static_cast<std::size_t>(i)];
    step.order = config.lower_order_final.value_or(true) ? std::min(config.solver_order, length - i)
                                                         : config.solver_order;
    step.corrects = i > 0 && std::find(uncorrected.begin(), uncorrected.end(), i - 1) == uncorrected.end();
  }
  plan.options.bh1 = config.solver_type == "bh1";
  plan.options.predict_x0 = config.predict_x0;
  return cut(std::move(plan), range);
}

SamplingPlan plan_deis(const SchedulerConfig& config, int count, const StepRange& range) {
  require_steps(config, "deis", count);
  require_supported(config, "deis", {"thresholding", "use_flow_sigmas"});
  const Rules rules{.may_end_at_zero = false, .repeats_last = true};
  SamplingPlan plan = plan_of(solver_run(config, SigmaTable(alphas_cumprod(config, false)), count, rules));
  set_multistep_orders(plan, config.solver_order, config.lower_order_final.value_or(true), false);
  return cut(std::move(plan), range);
}

}  // namespace sdgen
