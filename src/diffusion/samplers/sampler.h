// Samplers: from noise to latents by repeated estimates of what is noise. One file a method holds its layout,
// its loop and its row of the table; table.cpp lists the rows; what users call them stands in
// plain/sampler_names.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/noise.h"
#include "diffusion/schedule.h"

namespace sdgen {

// One evaluation of the network and the way it is used for.
struct Step {
  double timestep = 0.0;  // given to the network
  Level from;
  Level to;
  std::size_t index = 0;  // of the whole run's entries, also where only a part of the run is drawn
};

// The network as samplers see it: its raw output at x [N, C, h, w] of step.from's scale, guidance applied.
// float32.
struct Denoiser {
  std::function<Tensor(const Tensor& x, const Step& step)> output;
  PredictionType prediction_type = PredictionType::kEpsilon;
};

// What an output says of x = alpha x0 + sigma eps.
struct Estimate {
  Tensor x0;
  Tensor eps;
};

// The one place where epsilon, v ("Progressive Distillation", appendix D), sample and flow predictions are
// told apart.
Estimate estimate_from_output(PredictionType type, const Tensor& output, const Tensor& x, const Level& level);

// Called after every evaluation with its step and the latents so far, which it may replace: the next
// evaluation goes on from there. It may throw to end the loop.
using StepCallback = std::function<void(const Step& step, Tensor& x)>;

// A method's loop, its settings captured: x [N, C, h, w] float32 is the noise at the first level; returned
// are the latents. Methods of two evaluations a step (Heun, DPM2, DPM++ 2S a) call back after each of them.
using Loop = std::function<Tensor(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                                  NoiseSource& noise, const StepCallback& on_step)>;

// A part of a run: entries [first, end) of the reference's list of timesteps. Image to image starts late, a
// base model that hands over to a refiner ends early.
struct StepRange {
  std::size_t first = 0;
  std::optional<std::size_t> end{};  // the list's length
};

// What a run is laid out for.
struct RunShape {
  int steps = 0;
  StepRange range{};
  double eta = 0.0;                // DDIM, TCD
  std::int64_t image_seq_len = 0;  // the picture's patches, where a flow's shift depends on them
};

// An entry of the list: x = level.alpha x0 + level.sigma noise is a known picture noised to where it starts.
struct PlanEntry {
  double timestep = 0.0;
  Level level;
};

// A run laid out before it begins.
struct SamplingPlan {
  std::vector<Step> steps;           // of the range, one an evaluation of the network
  std::vector<PlanEntry> entries;    // of the whole run, one an evaluation: diffusers' scheduler.timesteps
  std::size_t first = 0;             // the entry that `steps` begin with
  int entries_per_step = 1;          // 2 where a step takes two evaluations: diffusers' scheduler.order
  double initial_noise_scale = 1.0;  // the first x is noise times this, where the run begins with noise
  Loop loop;

  Tensor sample(const Denoiser& denoiser, Tensor x, NoiseSource& noise, const StepCallback& on_step) const {
    return loop(denoiser, std::move(x), steps, noise, on_step);
  }
  // The number of a step of this plan: 1 .. steps.size().
  int number_of(const Step& step) const { return static_cast<int>(step.index - first) + 1; }
};

// What a method makes use of.
struct SamplerTraits {
  bool schedules = false;  // other spreads of sigmas: karras, exponential, beta
  bool lu = false;         // and even lambdas
  bool spacing = true;     // timestep_spacing
  bool zero_snr = false;   // rescale_betas_zero_snr
  bool eta = false;
  bool flow = false;  // models whose prediction type is kFlow
};

// A row of the table.
struct Sampler {
  std::string name;             // "ddim"
  std::string scheduler_class;  // diffusers' class of the same method; empty: none
  SamplerTraits takes;
  SamplingPlan (*lay_out)(const SchedulerConfig& config, const RunShape& shape);
  // Of a class that is several methods: whether this is the one that a config means. nullptr: always.
  bool (*is_meant)(const SchedulerConfig& config) = nullptr;
  std::string flow_class{};  // diffusers' class of the method for flows; empty: none

  // Throws Error(kRequest) for a number of steps that the method or the schedule cannot do, for a range
  // outside of the list and for a flow that it does not know, Error(kInput) if the config asks for what the
  // method does not support.
  SamplingPlan plan(const SchedulerConfig& config, const RunShape& shape) const;
};

// Every sampler, in the order shown to users.
const std::vector<Sampler>& samplers();

// Throws Error(kRequest) with the nearest known name.
const Sampler& find_sampler(const std::string& name);

// The sampler that a model's scheduler stands for; a class may be several (algorithm_type). nullptr if none
// does the same.
const Sampler* find_sampler_of(const SchedulerConfig& config);

// Throws Error(kRequest) if `asked` sets a schedule, spacing, zero SNR or eta that `sampler` makes no use
// of.
void require_used(const Sampler& sampler, const ScheduleOverrides& asked);

}  // namespace sdgen
