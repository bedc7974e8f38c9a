// "Root Mean Square Layer Normalization": without mean and bias.
#pragma once

#include "base/tensor.h"
#include "weights/weights.h"

namespace sdgen {

struct RmsNorm {
  Tensor weight;  // [width]
  double eps;

  RmsNorm(const Weights& weights, std::int64_t width, double eps)
      : weight(weights.tensor("weight", {width})), eps(eps) {}

  // x / sqrt(mean(x^2) + eps) * weight; the mean in float32, as the reference has it. x [..., width]
  Tensor operator()(const Tensor& x) const {
    const Tensor wide = x.to(at::kFloat);
    const Tensor normed = wide * at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + eps);
    return weight * normed.to(x.scalar_type());
  }
};

}  // namespace sdgen
