#include "diffusion/sampler_steps.h"

namespace sdgen {
namespace {

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
                    const SamplerOptions& options, const Tensor& newest) {
  const Level& from = history[0].level;
  const double lambda_from = lambda(from), step = lambda(to) - lambda_from;
  const double h = options.predict_x0 ? -step : step;
  const double scale = options.bh1 ? h : std::expm1(h);  // B(h)
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
  const double x_weight = options.predict_x0 ? to.sigma / from.sigma : to.alpha / from.alpha;
  const double output_weight = options.predict_x0 ? to.alpha : to.sigma;
  Tensor result = x_weight * x - (output_weight * std::expm1(h)) * history[0].output;
  if (differences.empty()) return result;
  // A single difference weighs a half, whatever h (UniPC, section 3.3).
  const std::vector<double> weights =
      ratios.size() == 1 ? std::vector<double>{0.5} : difference_weights(ratios, h, scale);
  for (std::size_t k = 0; k < weights.size(); ++k)
    result = result - (output_weight * scale * weights[k]) * differences[k];
  return result;
}

}  // namespace

Tensor sample_unipc(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                    const SamplerOptions& options, NoiseSource&, const StepCallback& on_step) {
  OutputHistory history(3);
  Tensor before;               // x of the step before, corrected
  std::size_t last_order = 1;  // of the step before
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const auto [x0, eps] = estimate(denoiser, x, step);
    const Tensor& output = options.predict_x0 ? x0 : eps;
    if (step.corrects && i > 0) x = unipc_update(history, before, step.from, last_order, options, output);
    history.push(output, step.from);
    last_order = std::min<std::size_t>(step.order, history.size());
    before = x;
    x = unipc_update(history, x, step.to, last_order, options, {});
    on_step(static_cast<int>(i) + 1, x);
  }
  return x;
}

}  // namespace sdgen
