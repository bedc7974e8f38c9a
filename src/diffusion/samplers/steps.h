// What the samplers' loops share.
#pragma once

#include <algorithm>
#include <cmath>
#include <deque>

#include "compute/compute.h"
#include "diffusion/samplers/sampler.h"

namespace sdgen {

inline double squared(double value) {
  return value * value;
}

inline Tensor clip(const Tensor& x0, double range) {
  return range > 0 ? x0.clamp(-range, range) : x0;
}

inline Estimate estimate(const Denoiser& denoiser, const Tensor& x, const Step& step) {
  return estimate_from_output(denoiser.prediction_type, denoiser.output(x, step), x, step.from);
}

// Picture noise for a step, on x's device.
inline Tensor noise_like(const Tensor& x, NoiseSource& noise) {
  return to_device(noise.draw(x.sizes().slice(1)), x.device());
}

// lambda = log(alpha / sigma), half the log of the signal-to-noise ratio.
inline double lambda(const Level& level) {
  return std::log(level.alpha / level.sigma);
}

// Variance of x_{t-1} given x_t and x_0: DDPM eq. 7, DDIM eq. 16 with eta 1.
inline double posterior_variance(const Level& from, const Level& to) {
  return squared(to.sigma) / squared(from.sigma) * (1.0 - squared(from.alpha) / squared(to.alpha));
}

// The newest outputs of a multistep method and the levels they were made at; [0] is the newest.
class OutputHistory {
 public:
  struct Entry {
    Tensor output;
    Level level;
  };

  explicit OutputHistory(std::size_t longest) : longest_(longest) {}

  void push(Tensor output, const Level& level) {
    entries_.push_front({std::move(output), level});
    if (entries_.size() > longest_) entries_.pop_back();
  }
  std::size_t size() const { return entries_.size(); }
  const Entry& operator[](std::size_t age) const { return entries_[age]; }

 private:
  std::size_t longest_;
  std::deque<Entry> entries_;
};

// Adams-Bashforth on even steps over the newest outputs, four at most (back is newest): PNDM eq. 12.
inline Tensor linear_multistep(const std::deque<Tensor>& outputs) {
  const auto past = [&](std::size_t age) -> const Tensor& { return outputs[outputs.size() - 1 - age]; };
  switch (outputs.size()) {
    case 1:
      return past(0);
    case 2:
      return (3 * past(0) - past(1)) / 2;
    case 3:
      return (23 * past(0) - 16 * past(1) + 5 * past(2)) / 12;
    default:
      return (55 * past(0) - 59 * past(1) + 37 * past(2) - 9 * past(3)) / 24;
  }
}

// A loop of one evaluation a step: `advance(x, step)` is the x that the step leads to.
template <typename Advance>
Tensor step_by_step(Tensor x, const std::vector<Step>& steps, const StepCallback& on_step,
                    const Advance& advance) {
  for (const Step& step : steps) {
    x = advance(x, step);
    on_step(step, x);
  }
  return x;
}

}  // namespace sdgen
