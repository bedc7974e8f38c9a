// Ways to multiply, a row each. A layer takes the first row that fits its weight and keeps what that makes of
// it; the rows stand in table.cpp, each in its method's own file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "compute/compute.h"

namespace sdgen {

// y = x W^T + b of a weight that is laid out: x [..., in] -> [..., out]; `added`, undefined or of the
// result's shape, is added.
using LinearProduct = std::function<Tensor(const Tensor& x, const Tensor& added)>;

struct LinearMethod {
  std::string name;                                                    // "blocks"
  std::string operator_name;                                           // of its work in tables of operators
  bool (*fits)(const Tensor& weight, Quantize quantize);               // weight [out, in]
  LinearProduct (*lay_out)(const Tensor& weight, const Tensor& bias);  // bias [out], or undefined
};

// The best first; the last one fits all.
const std::vector<LinearMethod>& linear_methods();

struct ConvGeometry {
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t padding = 1;
};

// A weight and a bias that are laid out.
struct ConvProduct {
  // x [N, in, h, w] channels_last -> [N, out, h', w'] channels_last; `added` as in LinearProduct.
  std::function<Tensor(const Tensor& x, const Tensor& added)> apply;
  // The same without bias, where leaving it to whoever comes next saves a pass over the result; undefined, or
  // nothing, elsewhere.
  std::function<Tensor(const Tensor& x)> without_bias{};
};

struct ConvMethod {
  std::string name;    // "winograd"
  std::string suffix;  // of its work in tables of operators, behind "conv 3x3"
  bool (*fits)(const Tensor& weight, const ConvGeometry& geometry, Quantize quantize);  // [out, in, k, k]
  ConvProduct (*lay_out)(const Tensor& weight, const Tensor& bias, const ConvGeometry& geometry,
                         Quantize quantize);
};

const std::vector<ConvMethod>& conv_methods();

// The first row that fits.
const LinearMethod& linear_method_for(const Tensor& weight, Quantize quantize);
const ConvMethod& conv_method_for(const Tensor& weight, const ConvGeometry& geometry, Quantize quantize);

// A map's patches, the same memory where it is channels_last: [N, C, h, w] -> [N, h*w, C]
Tensor to_patches(const Tensor& map);
// And back, channels_last: [N, h*w, C] -> [N, C, h, w], `size` (h, w)
Tensor to_map(const Tensor& patches, at::IntArrayRef size);

}  // namespace sdgen
