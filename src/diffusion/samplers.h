// Samplers: from noise to latents by repeated estimates. Each is a free function and a row of the table.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/noise.h"
#include "diffusion/schedule.h"

namespace sdgen {

// The network as samplers see it: its raw output at x [N, C, h, w] of `from`'s scale, guidance applied.
// float32.
struct Denoiser {
  std::function<Tensor(const Tensor& x, const Level& level, double timestep)> output;
  PredictionType prediction_type = PredictionType::kEpsilon;
};

// What an output says of x = alpha x0 + sigma eps.
struct Estimate {
  Tensor x0;
  Tensor eps;
};

// The one place where epsilon, v ("Progressive Distillation", appendix D) and sample predictions are told
// apart.
Estimate estimate_from_output(PredictionType type, const Tensor& output, const Tensor& x, const Level& level);

struct SamplerOptions {
  double eta = 0.0;      // DDIM, TCD
  double clip_x0 = 0.0;  // x0 is clamped to -clip_x0..clip_x0; 0: not at all (DDIM, DDPM, Heun, LCM)
  VarianceType variance_type = VarianceType::kFixedSmall;  // DDPM
  std::size_t prk_steps = 0;                               // PNDM: Runge-Kutta evaluations at the start
  bool heun = false;               // DPM-Solver++: Heun's weights of the differences instead of midpoint's
  bool bh1 = false;                // UniPC: B(h) = h instead of e^h - 1
  bool predict_x0 = true;          // UniPC: differences of x0, else of eps
  double timestep_scaling = 10.0;  // LCM
  std::vector<Level> training_levels{};  // TCD: the level of each training timestep
};

// Called after every evaluation with its number, 1 .. steps.size(), and the latents so far, which it may
// replace: the next evaluation goes on from there. It may throw to end the loop.
using StepCallback = std::function<void(int step, Tensor& x)>;

// All samplers: x [N, C, h, w] float32 is the noise at the first level; returned are the latents. Those of
// two evaluations a step (Heun, DPM2, DPM++ 2S a) call back after each of them.
using SampleFunction = Tensor(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                              const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step);

// "Denoising Diffusion Implicit Models", eq. 12 and 16.
SampleFunction sample_ddim;
// "Denoising Diffusion Probabilistic Models", eq. 6 and 7.
SampleFunction sample_ddpm;
// "Pseudo Numerical Methods for Diffusion Models on Manifolds", eq. 9, 12, 13; without its Runge-Kutta start
// PLMS.
SampleFunction sample_pndm;
// "Latent Consistency Models", eq. 9 and algorithm 3: the picture, then noise again.
SampleFunction sample_lcm;
// "Trajectory Consistency Distillation", algorithm 4 (strategic stochastic sampling; eta is its gamma).
SampleFunction sample_tcd;
// "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 2 without churn and without
// its second evaluation.
SampleFunction sample_euler;
// Euler with ancestral noise (k-diffusion's sample_euler_ancestral).
SampleFunction sample_euler_ancestral;
// "Elucidating the Design Space ...", algorithm 2 without churn: Heun's method.
SampleFunction sample_heun;
// Linear multistep: Adams-Bashforth on uneven sigmas (k-diffusion's sample_lms).
SampleFunction sample_lms;
// "DPM-Solver", algorithm 1 (its second-order solver) in sigma, without and with ancestral noise
// (k-diffusion's sample_dpm_2, sample_dpm_2_ancestral).
SampleFunction sample_dpm2;
SampleFunction sample_dpm2_ancestral;
// "DPM-Solver++", algorithm 1 (2S) with ancestral noise (k-diffusion's sample_dpmpp_2s_ancestral).
SampleFunction sample_dpmpp_2s_ancestral;
// "DPM-Solver++", algorithm 2 (2M) and its third-order sibling; with noise: section 5, SDE-DPM-Solver++.
SampleFunction sample_dpmpp_2m;
SampleFunction sample_dpmpp_2m_sde;
// "DPM-Solver++", algorithm 1 (2S) and "DPM-Solver", algorithm 2, with one evaluation a step: the solver's
// order goes 1, 2(, 3), 1, 2(, 3).
SampleFunction sample_dpmpp_2s;
// "UniPC: A Unified Predictor-Corrector Framework", algorithms 5 to 8.
SampleFunction sample_unipc;
// "Fast Sampling of Diffusion Models with Exponential Integrator", tAB-DEIS with polynomials in log rho.
SampleFunction sample_deis;

// A part of a run: entries [first, end) of the reference's list of timesteps. Image to image starts late, a
// base model that hands over to a refiner ends early.
struct StepRange {
  std::size_t first = 0;
  std::optional<std::size_t> end{};  // the list's length
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
  SamplerOptions options;
};

// What a method makes use of.
struct SamplerTraits {
  bool schedules = false;  // other spreads of sigmas: karras, exponential, beta
  bool lu = false;         // and even lambdas
  bool spacing = true;     // timestep_spacing
  bool zero_snr = false;   // rescale_betas_zero_snr
  bool eta = false;
};

struct Sampler {
  std::string name;             // "ddim"
  std::string scheduler_class;  // diffusers' class of the same method; empty: none
  std::string title;            // as other programs' metadata call it
  SamplerTraits takes;
  SamplingPlan (*lay_out)(const SchedulerConfig& config, int steps, const StepRange& range);
  SampleFunction* sample;

  // Throws Error(kRequest) for a number of steps that the method or the schedule cannot do and for a range
  // outside of the list, Error(kInput) if the config asks for what the method does not support.
  SamplingPlan plan(const SchedulerConfig& config, int steps, const StepRange& range = {}) const {
    return lay_out(config, steps, range);
  }
};

// Every sampler, in the order shown to users.
const std::vector<Sampler>& samplers();

// Throws Error(kRequest) with the nearest known name.
const Sampler& find_sampler(const std::string& name);

// The sampler that a model's scheduler stands for; a class may be several (algorithm_type). nullptr if none
// does the same.
const Sampler* find_sampler_of(const SchedulerConfig& config);

// Throws Error(kRequest) if `request` sets a schedule, spacing, zero SNR or eta that `sampler` makes no use
// of.
void require_used(const Sampler& sampler, const Request& request);

}  // namespace sdgen
