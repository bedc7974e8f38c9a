#include "base/finite_rows.h"

#include <algorithm>

namespace sdgen {

FiniteRows::FiniteRows(std::size_t rows, const at::Device& device) : failed_steps_(rows, 0) {
  if (!device.is_cpu())
    on_device_ =
        at::zeros({static_cast<std::int64_t>(rows)}, at::TensorOptions().dtype(at::kInt).device(device));
}

void FiniteRows::look(const Tensor& x, int step) {
  if (on_device_.defined()) {
    on_device_ = with_failed_rows(on_device_, x, step);
    return;
  }
  if (is_finite(x)) return;
  for (std::size_t row = 0; row < failed_steps_.size(); ++row)
    if (failed_steps_[row] == 0 && !is_finite(x[static_cast<std::int64_t>(row)])) failed_steps_[row] = step;
}

bool FiniteRows::none_left() const {
  return std::find(failed_steps_.begin(), failed_steps_.end(), 0) == failed_steps_.end();
}

const std::vector<int>& FiniteRows::failed_steps() {
  if (on_device_.defined()) {
    const Tensor steps = on_device_.to(at::kCPU);
    std::copy_n(steps.const_data_ptr<int>(), failed_steps_.size(), failed_steps_.begin());
  }
  return failed_steps_;
}

Tensor with_failed_rows(const Tensor& failed_steps, const Tensor& x, int step) {
  const Tensor fails = at::isfinite(x).flatten(1).all(1).logical_not();
  return failed_steps.masked_fill(failed_steps.eq(0).logical_and(fails), step);
}

}  // namespace sdgen
