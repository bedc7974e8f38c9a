// What a single file says of its training beside names and shapes.
#pragma once

#include <optional>
#include <string>

#include "weights/tensor_source.h"

namespace sdgen {

struct Markers {
  // Tensors `v_pred` and `ztsnr`, metadata modelspec.prediction_type and modelspec.architecture; nothing:
  // silent.
  std::optional<bool> v_prediction{};
  bool zero_snr = false;        // tensor `ztsnr`
  bool edm = false;             // tensor `edm_mean` (Playground 2.5)
  bool first_sd2_base = false;  // global_step 875000
  std::string architecture{};   // modelspec.architecture in small letters
};

Markers markers_of(const TensorSource& source);

// Whether a tensor of that name marks something and holds no weights.
bool is_marker(const std::string& key);

}  // namespace sdgen
