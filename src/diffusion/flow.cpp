#include "diffusion/flow.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/config_range.h"
#include "diffusion/schedule.h"
#include "diffusion/sigmas.h"

namespace sdgen {
namespace {

constexpr Range kPatches{1, std::int64_t{1} << 30};

double number(const Config& config, const std::string& key, double fallback, double least, double most) {
  const double value = config.value(key, fallback);
  if (!(value >= least && value <= most))
    fail_input(config.path.string(), ": key '", key, "' is ", value, "; expected ", least, " to ", most);
  return value;
}

// Arithmetic is in the reference's type, T: numpy's float32 for given sigmas, its float64 for the
// scheduler's.
template <typename T>
T shifted(const FlowSchedule& flow, double mu, T sigma) {
  if (flow.shifting == FlowSchedule::Shifting::kStatic)
    return static_cast<T>(flow.shift) * sigma / (1 + static_cast<T>(flow.shift - 1.0) * sigma);
  const bool is_linear = flow.shifting == FlowSchedule::Shifting::kLinear;
  const T weight = static_cast<T>(is_linear ? mu : std::exp(mu));
  return weight / (weight + (1 / sigma - 1));
}

template <typename T>
void stretch_to(double terminal, std::vector<T>& sigmas) {
  const T scale = (1 - sigmas.back()) / static_cast<T>(1.0 - terminal);
  for (T& sigma : sigmas) sigma = 1 - (1 - sigma) / scale;
}

std::vector<float> given_sigmas(int steps) {
  const at::Tensor sigmas = at::linspace(1.0, 1.0 / steps, steps, at::kFloat);
  return {sigmas.const_data_ptr<float>(), sigmas.const_data_ptr<float>() + steps};
}

// Evenly from the scheduler's highest sigma to its lowest.
std::vector<double> own_sigmas(const SchedulerConfig& config, int steps) {
  const auto train = static_cast<double>(config.num_train_timesteps);
  float high = 1.0F, low = 1.0F / static_cast<float>(train);
  if (config.flow.shifting == FlowSchedule::Shifting::kStatic) {
    high = shifted(config.flow, 0.0, high);
    low = shifted(config.flow, 0.0, low);
  }
  const double first = high * train, last = low * train;
  std::vector<double> sigmas;
  for (int i = 0; i < steps; ++i)
    sigmas.push_back(
        (i > 0 && i == steps - 1 ? last : first + i * ((last - first) / std::max(1, steps - 1))) / train);
  return sigmas;
}

template <typename T>
std::vector<double> finished(const SchedulerConfig& config, double mu, std::vector<T> sigmas) {
  for (T& sigma : sigmas) sigma = shifted(config.flow, mu, sigma);
  if (config.flow.shift_terminal) stretch_to(*config.flow.shift_terminal, sigmas);
  const SigmaSchedule schedule = config.sigma_schedule;
  if (schedule == SigmaSchedule::kTimesteps || schedule == SigmaSchedule::kLu)
    return {sigmas.begin(), sigmas.end()};
  return spread_sigmas(schedule, sigmas.front(), sigmas.back(), static_cast<int>(sigmas.size()));
}

}  // namespace

FlowSchedule FlowSchedule::read(const Config& config) {
  for (const std::string key : {"invert_sigmas", "stochastic_sampling"})
    if (config.value(key, false))
      fail_input(config.path.string(), ": key '", key, "' is true, which is not supported");
  FlowSchedule flow;
  const auto type = config.value<std::string>("time_shift_type", "exponential");
  if (type != "exponential" && type != "linear")
    fail_input(config.path.string(), ": ", unknown_name("time_shift_type", type, {"exponential", "linear"}));
  if (config.value("use_dynamic_shifting", false))
    flow.shifting = type == "linear" ? Shifting::kLinear : Shifting::kExponential;
  flow.shift = number(config, "shift", flow.shift, 1e-3, 1e3);
  flow.base_shift = number(config, "base_shift", flow.base_shift, -100.0, 100.0);
  flow.max_shift = number(config, "max_shift", flow.max_shift, -100.0, 100.0);
  flow.base_image_seq_len = whole_number(config, "base_image_seq_len", kPatches, flow.base_image_seq_len);
  flow.max_image_seq_len = whole_number(config, "max_image_seq_len", kPatches, flow.max_image_seq_len);
  if (flow.base_image_seq_len == flow.max_image_seq_len)
    fail_input(config.path.string(), ": base_image_seq_len and max_image_seq_len are equal");
  const double terminal = number(config, "shift_terminal", 0.0, 0.0, 0.999);
  if (terminal > 0.0) flow.shift_terminal = terminal;
  return flow;
}

double FlowSchedule::mu(std::int64_t image_seq_len) const {
  const double slope = (max_shift - base_shift) / static_cast<double>(max_image_seq_len - base_image_seq_len);
  return static_cast<double>(image_seq_len) * slope +
         (base_shift - slope * static_cast<double>(base_image_seq_len));
}

std::vector<double> flow_sigmas(const SchedulerConfig& config, int steps, std::int64_t image_seq_len) {
  const double mu = config.flow.mu(image_seq_len);
  std::vector<double> sigmas = config.flow.given_sigmas ? finished(config, mu, given_sigmas(steps))
                                                        : finished(config, mu, own_sigmas(config, steps));
  for (double& sigma : sigmas) {
    sigma = static_cast<float>(sigma);
    if (!std::isfinite(sigma))
      fail_request("steps ", steps, ": the scheduler's shift and shift_terminal make no number of a sigma",
                   steps == 1 ? "; use more steps" : "");
  }
  sigmas.push_back(0.0);
  return sigmas;
}

}  // namespace sdgen
