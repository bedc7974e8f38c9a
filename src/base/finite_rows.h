// Which rows of a batch stopped being finite, and when.
#pragma once

#include <vector>

#include "base/tensor.h"

namespace sdgen {

class FiniteRows {
 public:
  FiniteRows(std::size_t rows, const at::Device& device);

  // Looks at x [rows, ...] after `step` (1, 2, ...). Does not wait for a GPU.
  void look(const Tensor& x, int step);

  // Whether it is known by now that no row is finite; a GPU's answer is known by failed_steps() only.
  bool none_left() const;

  // By row, the first step after which it was not finite; 0 where it always was. Waits for a GPU.
  const std::vector<int>& failed_steps();

 private:
  std::vector<int> failed_steps_;
  Tensor on_device_;  // [rows] int32, as failed_steps_; undefined on the CPU
};

// failed_steps [N] int32 with `step` in the rows of x [N, ...] that are not finite and had 0; all on their
// device.
Tensor with_failed_rows(const Tensor& failed_steps, const Tensor& x, int step);

}  // namespace sdgen
