// Models that draw by diffusion: a UNet, its texts and its VAE, with a refiner and ControlNets where there
// are any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compute/compute.h"
#include "run/engine.h"

namespace sdgen {

// Opens a model as Generator() says; `threads` is what info() tells.
std::unique_ptr<Engine> open_diffusion_engine(const ModelFiles& files, const ComputeOptions& options,
                                              const Compute& compute, int threads);

}  // namespace sdgen
