// Requests: filled in, checked, and laid out as batches.
#pragma once

#include <cstdint>
#include <vector>

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

// One picture to draw.
struct Job {
  std::size_t request_index = 0;
  int index = 0;  // 0 .. count * best_of - 1
  std::uint64_t seed = 0;
};

// All pictures of complete `requests` in order, up to `batch_size` together where steps, sampler, eta,
// guidance and size agree. Throws Error(kRequest) for a batch_size that is not
// 1 to 4096, or more than 1,000,000 pictures.
std::vector<std::vector<Job>> plan_batches(const std::vector<Request>& requests, int batch_size);

}  // namespace sdgen
