// Seeded Gaussian noise, the same on every device.
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <vector>

#include "base/tensor.h"

namespace sdgen {

// One generator a picture, on the CPU and in float32: the noise of torch.Generator("cpu").manual_seed(seed),
// whatever the device, and whatever other pictures share the batch.
class NoiseSource {
 public:
  explicit NoiseSource(const std::vector<std::uint64_t>& seeds);

  // shape is one picture's, e.g. {4, h, w} -> [pictures, 4, h, w] float32 on the CPU.
  Tensor draw(at::IntArrayRef shape);

  std::int64_t pictures() const { return static_cast<std::int64_t>(generators_.size()); }

 private:
  std::vector<at::Generator> generators_;
};

}  // namespace sdgen
