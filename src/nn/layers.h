// The layers everything is built from. A layer is whole once constructed from its weights, and const after.
#pragma once

#include <string>

#include "base/tensor.h"
#include "compute/operator_scope.h"
#include "nn/methods/methods.h"
#include "weights/weights.h"

namespace sdgen {

enum class Bias { kNone, kYes };

enum class Activation { kSilu, kGelu, kQuickGelu, kMish, kRelu };

// y = x W^T + b
class Linear {
 public:
  Linear(const Weights& weights, std::int64_t in, std::int64_t out, Bias with_bias = Bias::kYes);
  // From tensors: weight [out, in], bias [out] or undefined.
  Linear(const Tensor& weight, const Tensor& bias, Quantize quantize = Quantize::kNone);
  // [..., in] -> [..., out]; `added`, where given, has the result's shape and is added to it.
  Tensor operator()(const Tensor& x, const Tensor& added = {}) const;

  // How it multiplies: its row in nn/methods.
  const LinearMethod& method() const { return *method_; }

 private:
  std::int64_t out_;
  const LinearMethod* method_;
  LinearProduct product_;
};

class Conv2d {
 public:
  using Geometry = ConvGeometry;
  Conv2d(const Weights& weights, std::int64_t in, std::int64_t out, const Geometry& geometry);
  // [N, in, h, w] -> [N, out, h', w'], channels_last; `added` as in Linear.
  Tensor operator()(const Tensor& x, const Tensor& added = {}) const;
  // The result before the bias, where leaving it to whoever comes next saves a pass over it; undefined
  // elsewhere.
  Tensor without_bias(const Tensor& x) const;

  const ConvMethod& method() const { return *method_; }
  const Tensor& bias() const { return bias_; }  // [out]
  const Geometry& geometry() const { return geometry_; }

 private:
  OperatorCall call(const Tensor& x) const;

  Geometry geometry_;
  Tensor bias_;
  const ConvMethod* method_;
  ConvProduct product_;
};

struct GroupNorm {
  Tensor weight;  // [channels]
  Tensor bias;    // [channels]
  std::int64_t groups;
  double eps;

  GroupNorm(const Weights& weights, std::int64_t channels, std::int64_t groups, double eps);
  Tensor operator()(const Tensor& x) const;  // [N, channels, h, w]
  // activation(norm(x + offset)), offset [1 or N, channels] or undefined
  Tensor activated(const Tensor& x, Activation activation, const Tensor& offset = {}) const;
};

struct LayerNorm {
  Tensor weight;  // [width]
  Tensor bias;    // [width]
  double eps;

  LayerNorm(const Weights& weights, std::int64_t width, double eps = 1e-5);
  Tensor operator()(const Tensor& x) const;  // [..., width]
};

// `name` as in configs: silu, swish, gelu, quick_gelu, mish, relu. Throws Error(kInput) naming `file` for
// another.
Activation activation_from_name(const std::string& name, const std::string& file);

Tensor activate(Activation activation, const Tensor& x);

}  // namespace sdgen
