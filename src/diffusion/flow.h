// Flow matching: x = (1 - sigma) x0 + sigma noise, and the network gives the velocity noise - x0 ("Flow
// Matching for Generative Modeling", section 4.1). Which sigmas a run visits, by
// FlowMatchEulerDiscreteScheduler's rules.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/json_file.h"

namespace sdgen {

struct SchedulerConfig;

// How sigmas are moved towards the noise, the more the larger the picture ("Scaling Rectified Flow
// Transformers for High-Resolution Image Synthesis", section 5.3.2).
struct FlowSchedule {
  enum class Shifting {
    kStatic,
    kExponential,
    kLinear
  };  // by `shift`; by mu, linear in the picture's patches
  Shifting shifting = Shifting::kStatic;
  double shift = 1.0;
  double base_shift = 0.5, max_shift = 1.15;  // mu at these numbers of patches
  std::int64_t base_image_seq_len = 256, max_image_seq_len = 4096;
  std::optional<double> shift_terminal;  // what the last sigma is stretched to
  // Whether the pipeline gives the unshifted sigmas itself, 1 to 1 / steps, as Z-Image's and FLUX's do; else
  // they are the scheduler's, 1 to its lowest (which a static shift has moved once already).
  bool given_sigmas = false;

  // Of a scheduler_config.json. Throws Error(kInput) naming file and key for what is out of range or not
  // supported (invert_sigmas, stochastic_sampling).
  static FlowSchedule read(const Config& config);

  double mu(std::int64_t image_seq_len) const;
};

// The sigmas of a run, in the reference's float32, and 0 behind the last step. `image_seq_len`: the picture's
// patches, which count where shifting is by mu. Throws Error(kRequest) where the shifts make no number.
std::vector<double> flow_sigmas(const SchedulerConfig& config, int steps, std::int64_t image_seq_len);

}  // namespace sdgen
