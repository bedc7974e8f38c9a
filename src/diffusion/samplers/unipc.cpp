// "UniPC: A Unified Predictor-Corrector Framework", algorithms 5 to 8.
#include "diffusion/samplers/solver_run.h"

namespace sdgen {
namespace {

struct UniPc {
  std::vector<std::size_t>
      orders;  // of each step of the whole run: newest outputs that count, where there are as many
  std::vector<bool> corrects;  // whether a step first corrects the one before
  bool bh1 = false;            // B(h) = h instead of e^h - 1
  bool predict_x0 = true;      // differences of x0, else of eps
};

// rows x = right, by Gaussian elimination with pivoting; three unknowns at most.
std::vector<double> solved(std::vector<std::vector<double>> rows, std::vector<double> right) {
  const std::size_t size = right.size();
  for (std::size_t column = 0; column < size; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < size; ++row)
      if (std::abs(rows[row][column]) > std::abs(rows[pivot][column])) pivot = row;
    std::swap(rows[column], rows[pivot]);
    std::swap(right[column], right[pivot]);
    for (std::size_t row = column + 1; row < size; ++row) {
      const double factor = rows[row][column] / rows[column][column];
      for (std::size_t k = column; k < size; ++k) rows[row][k] -= factor * rows[column][k];
      right[row] -= factor * right[column];
    }
  }
  for (std::size_t row = size; row-- > 0;) {
    for (std::size_t k = row + 1; k < size; ++k) right[row] -= rows[row][k] * right[k];
    right[row] /= rows[row][row];
  }
  return right;
}

// The weights of the differences at `ratios` (in units of the step): R a = b of UniPC, theorem 3.1, with
// b_k = k! phi_(k+1)(h) / B(h).
std::vector<double> difference_weights(const std::vector<double>& ratios, double h, double scale) {
  std::vector<std::vector<double>> rows;
  std::vector<double> right;
  double phi = std::expm1(h) / h - 1.0, factorial = 1.0;
  for (std::size_t k = 1; k <= ratios.size(); ++k) {
    std::vector<double>& row = rows.emplace_back();
    for (const double ratio : ratios) row.push_back(std::pow(ratio, static_cast<double>(k - 1)));
    right.push_back(phi * factorial / scale);
    factorial *= static_cast<double>(k + 1);
    phi = phi / h - 1.0 / factorial;
  }
  return solved(std::move(rows), std::move(right));
}

// x at `to`, from x at history[0].level. Without `newest`, the output at `to`, UniP: the prediction; with it
// UniC: its correction.
Tensor unipc_update(const OutputHistory& history, const Tensor& x, const Level& to, std::size_t order,
                    const UniPc& method, const Tensor& newest) {
  const Level& from = history[0].level;
  const double lambda_from = lambda(from), step = lambda(to) - lambda_from;
  const double h = method.predict_x0 ? -step : step;
  const double scale = method.bh1 ? h : std::expm1(h);  // B(h)
  std::vector<double> ratios;
  std::vector<Tensor> differences;
  for (std::size_t age = 1; age < order; ++age) {
    ratios.push_back((lambda(history[age].level) - lambda_from) / step);
    differences.push_back((history[age].output - history[0].output) / ratios.back());
  }
  if (newest.defined()) {
    ratios.push_back(1.0);
    differences.push_back(newest - history[0].output);
  }
  const double x_weight = method.predict_x0 ? to.sigma / from.sigma : to.alpha / from.alpha;
  const double output_weight = method.predict_x0 ? to.alpha : to.sigma;
  Tensor result = x_weight * x - (output_weight * std::expm1(h)) * history[0].output;
  if (differences.empty()) return result;
  // A single difference weighs a half, whatever h (UniPC, section 3.3).
  const std::vector<double> weights =
      ratios.size() == 1 ? std::vector<double>{0.5} : difference_weights(ratios, h, scale);
  for (std::size_t k = 0; k < weights.size(); ++k)
    result = result - (output_weight * scale * weights[k]) * differences[k];
  return result;
}

Tensor sample_unipc(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps, const UniPc& method,
                    const StepCallback& on_step) {
  OutputHistory history(3);
  Tensor before;               // x of the step before, corrected
  std::size_t last_order = 1;  // of the step before
  return step_by_step(std::move(x), steps, on_step, [&](const Tensor& at, const Step& step) {
    const auto [x0, eps] = estimate(denoiser, at, step);
    const Tensor& output = method.predict_x0 ? x0 : eps;
    const bool corrects = method.corrects[step.index] && history.size() > 0;
    const Tensor here = corrects ? unipc_update(history, before, step.from, last_order, method, output) : at;
    history.push(output, step.from);
    last_order = std::min(method.orders[step.index], history.size());
    before = here;
    return unipc_update(history, here, step.to, last_order, method, {});
  });
}

SamplingPlan lay_out_unipc(const SchedulerConfig& config, const RunShape& shape) {
  require_steps(config, "unipc", shape.steps);
  require_supported(config, "unipc", {"thresholding", "use_flow_sigmas", "solver_p"});
  const SolverRules rules{.repeats_last = true};
  SamplingPlan plan = solver_plan(config, SigmaTable(lifted_cumprod(config)), shape.steps, rules);
  UniPc method{.orders = {},
               .corrects = std::vector<bool>(plan.steps.size(), true),
               .bh1 = config.solver_type == "bh1",
               .predict_x0 = config.predict_x0};
  const std::size_t count = plan.steps.size(), order = static_cast<std::size_t>(config.solver_order);
  for (std::size_t i = 0; i < count; ++i)
    method.orders.push_back(config.lower_order_final.value_or(true) ? std::min(order, count - i) : order);
  for (const int step : config.disable_corrector)
    if (step >= 0 && static_cast<std::size_t>(step) + 1 < count)
      method.corrects[static_cast<std::size_t>(step) + 1] = false;
  plan.loop = [method = std::move(method)](const Denoiser& denoiser, Tensor x, const auto& steps,
                                           NoiseSource&, const StepCallback& on_step) {
    return sample_unipc(denoiser, std::move(x), steps, method, on_step);
  };
  return cut(std::move(plan), shape.range);
}

}  // namespace

Sampler unipc() {
  return {"unipc", "UniPCMultistepScheduler", {.schedules = true, .zero_snr = true}, lay_out_unipc};
}

}  // namespace sdgen
