// What every family's pipeline has beside its network and its words.
#pragma once

#include <string>

#include "models/families/family.h"
#include "models/model.h"

namespace sdgen {

// Adds a warning for each component that is there for other pipelines (a ControlNet, a watermarker).
// `denoiser`: the network's.
void warn_of_other_components(const Family& family, Model& model, const std::string& denoiser);

// Fills in model.vae (of AutoencoderKL or AutoencoderTiny) and model.scheduler. Throws Error(kInput) naming
// file and key.
void read_vae_and_scheduler(Model& model);

}  // namespace sdgen
