// Samplers: from noise to latents by repeated estimates. Each is a free function and a row of the table.
#pragma once

#include <functional>
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
  double eta = 0.0;      // DDIM
  double clip_x0 = 0.0;  // x0 is clamped to -clip_x0..clip_x0; 0: not at all (DDIM, DDPM)
  VarianceType variance_type = VarianceType::kFixedSmall;  // DDPM
  std::size_t prk_steps = 0;                               // PNDM: Runge-Kutta evaluations at the start
};

// Called after every evaluation with its number, 1 .. steps.size(), and the latents so far. It may throw to
// end the loop.
using StepCallback = std::function<void(int step, const Tensor& x)>;

// All samplers: x [N, C, h, w] float32 is the noise at the first level; returned are the latents.
// DDIM: "Denoising Diffusion Implicit Models", eq. 12 and 16.
Tensor sample_ddim(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step);
// DDPM: "Denoising Diffusion Probabilistic Models", eq. 6 and 7.
Tensor sample_ddpm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step);
// PNDM: "Pseudo Numerical Methods for Diffusion Models on Manifolds", eq. 9, 12, 13; without its Runge-Kutta
// start PLMS.
Tensor sample_pndm(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                   const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step);
// Euler: "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 2 without churn.
Tensor sample_euler(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                    const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step);
// Euler with ancestral noise (k-diffusion's sample_euler_ancestral).
Tensor sample_euler_ancestral(const Denoiser& denoiser, Tensor x, const std::vector<Step>& steps,
                              const SamplerOptions& options, NoiseSource& noise, const StepCallback& on_step);

// A run laid out before it begins.
struct SamplingPlan {
  std::vector<Step> steps;           // one an evaluation of the network
  double initial_noise_scale = 1.0;  // the first x is noise times this
  SamplerOptions options;
};

struct Sampler {
  std::string name;             // "ddim"
  std::string scheduler_class;  // diffusers' class of the same method
  std::string title;            // as other programs' metadata call it
  // Throws Error(kRequest) for a number of steps that the method or the schedule cannot do, Error(kInput) if
  // the config asks for what the method does not support.
  std::function<SamplingPlan(const SchedulerConfig& config, int steps)> plan;
  Tensor (*sample)(const Denoiser&, Tensor, const std::vector<Step>&, const SamplerOptions&, NoiseSource&,
                   const StepCallback&);
};

// Every sampler, in the order shown to users.
const std::vector<Sampler>& samplers();

// Throws Error(kRequest) with the nearest known name.
const Sampler& find_sampler(const std::string& name);

// nullptr if no sampler does what `scheduler_class` does.
const Sampler* find_sampler_of_class(const std::string& scheduler_class);

}  // namespace sdgen
