// Requests to a diffusion model: filled in, checked, laid out as steps.
#pragma once

#include "diffusion/samplers/sampler.h"
#include "models/model.h"
#include "sdgen/request.h"

namespace sdgen {

// The request with the model's own values where it is silent. Throws Error(kRequest), or Error(kInput) if the
// folder's own scheduler is one we do not know and no sampler is named.
Request complete_request(const Request& request, const Model& model);

// The model's scheduler config as the request overrides it and its sampler takes it: one that is not the
// model's own never clips latents.
SchedulerConfig scheduler_of(const Request& complete, const Model& model);

// Which of a run's steps a model takes ("SDXL: Improving Latent Diffusion Models ...", section 2.5).
enum class Part { kWhole, kUntilRefiner, kRefiner };

// Throws as Sampler::plan(), and Error(kRequest) where no step is left to do.
SamplingPlan plan_of(const Request& complete, const Model& model, Part part = Part::kWhole);

// How many pictures a request, or a run, may ask for.
inline constexpr int kMaxPictures = 1'000'000;

}  // namespace sdgen
