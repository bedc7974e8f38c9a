// Rotary position embedding over several axes: each axis turns its own share of a head's channels
// ("RoFormer: Enhanced Transformer with Rotary Position Embedding", section 3.2; channels 2i and 2i + 1 are a
// pair, as in the original).
#pragma once

#include <cstdint>
#include <vector>

#include "base/tensor.h"

namespace sdgen {

class AxialRope {
 public:
  // dims: a head's channels that each axis turns, even; lengths: each axis's positions. Angles are computed
  // in float64 and rounded to float32, as the reference has them; the tables lie on `device`.
  AxialRope(double theta, const std::vector<std::int64_t>& dims, const std::vector<std::int64_t>& lengths,
            at::Device device);

  // Rotations of the positions that one axis counts from `first` on, the others standing at `fixed` (whose
  // entry of that axis is not looked at) -> [count, sum of dims / 2] complex64. Throws Error(kRequest) where
  // a position lies outside of the table.
  Tensor line(std::size_t axis, std::int64_t first, std::int64_t count,
              const std::vector<std::int64_t>& fixed) const;
  // Of a map of height x width patches, row by row: the axes are (`plane`, y, x); of three axes.
  Tensor grid(std::int64_t plane, std::int64_t height, std::int64_t width) const;

 private:
  Tensor positions(std::size_t axis, std::int64_t first, std::int64_t count) const;  // [count, dim / 2]

  std::vector<Tensor> tables_;  // of each axis, [length, dim / 2] complex64
};

// Every head's pairs turned by its row's rotations: x [N, S, heads, d], rotations [S, d / 2] complex64
// -> [N, S, heads, d] in x's dtype, computed in float32.
Tensor rotate_pairs(const Tensor& x, const Tensor& rotations);

}  // namespace sdgen
