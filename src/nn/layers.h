// The layers everything is built from. A layer is whole once constructed from its weights, and const after.
#pragma once

#include <string>

#include "base/tensor.h"
#include "weights/weights.h"

namespace sdgen {

enum class Bias { kNone, kYes };

// y = x W^T + b
struct Linear {
  Tensor weight;  // [out, in]
  Tensor bias;    // [out], or undefined

  Linear(const Weights& weights, std::int64_t in, std::int64_t out, Bias with_bias = Bias::kYes);
  Tensor operator()(const Tensor& x) const;  // [..., in] -> [..., out]
};

struct Conv2d {
  struct Geometry {
    std::int64_t kernel = 3;
    std::int64_t stride = 1;
    std::int64_t padding = 1;
  };
  Tensor weight;  // [out, in, kernel, kernel]
  Tensor bias;    // [out]
  std::int64_t stride;
  std::int64_t padding;

  Conv2d(const Weights& weights, std::int64_t in, std::int64_t out, const Geometry& geometry);
  Tensor operator()(const Tensor& x) const;  // [N, in, h, w] -> [N, out, h', w']
};

struct GroupNorm {
  Tensor weight;  // [channels]
  Tensor bias;    // [channels]
  std::int64_t groups;
  double eps;

  GroupNorm(const Weights& weights, std::int64_t channels, std::int64_t groups, double eps);
  Tensor operator()(const Tensor& x) const;  // [N, channels, h, w]
};

struct LayerNorm {
  Tensor weight;  // [width]
  Tensor bias;    // [width]
  double eps;

  LayerNorm(const Weights& weights, std::int64_t width, double eps = 1e-5);
  Tensor operator()(const Tensor& x) const;  // [..., width]
};

enum class Activation { kSilu, kGelu, kQuickGelu, kMish, kRelu };

// `name` as in configs: silu, swish, gelu, quick_gelu, mish, relu. Throws Error(kInput) naming `file` for
// another.
Activation activation_from_name(const std::string& name, const std::string& file);

Tensor activate(Activation activation, const Tensor& x);

}  // namespace sdgen
