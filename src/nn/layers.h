// The layers everything is built from. A layer is whole once constructed from its weights, and const after.
#pragma once

#include <optional>
#include <string>

#include "base/tensor.h"
#include "nn/methods/int8.h"
#include "weights/weights.h"

namespace sdgen {

enum class Bias { kNone, kYes };

enum class Activation { kSilu, kGelu, kQuickGelu, kMish, kRelu };

// y = x W^T + b
struct Linear {
  enum class Method { kPlain, kPacked, kBlocks, kInt8 };
  Tensor weight;  // [out, in], or as pack_linear() or block_linear_weight() made it; undefined for kInt8
  std::int64_t out;
  ByteWeight bytes;  // for kInt8
  Tensor bias;       // [out], or undefined
  Method method = Method::kPlain;

  Linear(const Weights& weights, std::int64_t in, std::int64_t out, Bias with_bias = Bias::kYes);
  // From tensors: weight [out, in], bias [out] or undefined.
  Linear(const Tensor& weight, const Tensor& bias, Quantize quantize = Quantize::kNone);
  // [..., in] -> [..., out]; `added`, where given, has the result's shape and is added to it.
  Tensor operator()(const Tensor& x, const Tensor& added = {}) const;
  // The same as part of another layer, which speaks for both to profilers.
  Tensor apply(const Tensor& x, const Tensor& added) const;
};

struct Conv2d {
  struct Geometry {
    std::int64_t kernel = 3;
    std::int64_t stride = 1;
    std::int64_t padding = 1;
  };
  enum class Method { kPlain, kPacked, kLinear, kWinograd, kWinogradInt8 };  // kLinear: 1x1
  Tensor weight;                 // [out, in, kernel, kernel] channels_last, or as the method wants it
  std::optional<Linear> linear;  // for kLinear
  ByteWeight bytes;              // for kWinogradInt8
  Tensor bias;                   // [out]
  std::int64_t stride;
  std::int64_t padding;
  Method method = Method::kPlain;

  Conv2d(const Weights& weights, std::int64_t in, std::int64_t out, const Geometry& geometry);
  // [N, in, h, w] -> [N, out, h', w'], channels_last; `added` as in Linear.
  Tensor operator()(const Tensor& x, const Tensor& added = {}) const;
  // The result before the bias, where leaving it to whoever comes next saves a pass over it; undefined
  // elsewhere.
  Tensor without_bias(const Tensor& x) const;
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

// A map's patches, the same memory where it is channels_last: [N, C, h, w] -> [N, h*w, C]
Tensor to_patches(const Tensor& map);
// And back, channels_last: [N, h*w, C] -> [N, C, h, w], `size` (h, w)
Tensor to_map(const Tensor& patches, at::IntArrayRef size);

// `name` as in configs: silu, swish, gelu, quick_gelu, mish, relu. Throws Error(kInput) naming `file` for
// another.
Activation activation_from_name(const std::string& name, const std::string& file);

Tensor activate(Activation activation, const Tensor& x);

}  // namespace sdgen
