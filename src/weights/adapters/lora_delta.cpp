#include "weights/adapters/lora_delta.h"

#include <algorithm>
#include <cmath>

#include "base/tensor.h"

namespace sdgen {
namespace {

using Part = LoraPart;

// A module's tensors in float32.
struct Parts {
  const LoraFile& file;
  const LoraModule& module;

  bool has(Part part) const { return module.keys.contains(part); }
  Tensor read(Part part) const { return file.tensors->read(module.keys.at(part)).to(at::kFloat); }
  // [n, everything else]
  Tensor matrix(Part part) const {
    const Tensor tensor = read(part);
    return tensor.reshape({tensor.size(0), -1});
  }
  std::int64_t rank_of(Part part) const { return file.tensors->find(module.keys.at(part))->shape[0]; }
};

double over_rank(const LoraModule& module, std::int64_t rank) {
  const auto size = static_cast<double>(rank);
  return module.alpha.value_or(size) / (module.alpha_over_root ? std::sqrt(size) : size);
}

// sum over i, j of a[i, out] t[i, j, ...] b[j, in] -> [out, in * ...]
Tensor through_kernel(const Tensor& a, const Tensor& t, const Tensor& b) {
  const std::int64_t i = t.size(0), j = t.size(1);
  const Tensor rows = at::mm(a.t(), t.reshape({i, -1}));                                // [out, j * k]
  const Tensor kernels = rows.reshape({a.size(1), j, -1}).transpose(1, 2);              // [out, k, j]
  return at::matmul(kernels, b).transpose(1, 2).reshape({a.size(1), -1}).contiguous();  // [out, in * k]
}

Tensor low_rank(const Parts& parts) {
  const Tensor up = parts.matrix(Part::kUp), down = parts.matrix(Part::kDown);
  return parts.has(Part::kMid) ? through_kernel(up.t(), parts.read(Part::kMid), down) : at::mm(up, down);
}

Tensor factored(const Parts& parts, Part a, Part b, Part t) {
  const Tensor first = parts.matrix(a), second = parts.matrix(b);
  return parts.has(t) ? through_kernel(first, parts.read(t), second) : at::mm(first, second);
}

// [a, b] and [c, d * k] -> [a * c, b * d * k]
Tensor kronecker(const Parts& parts) {
  const Tensor first = parts.has(Part::kLokr1)
                           ? parts.matrix(Part::kLokr1)
                           : at::mm(parts.matrix(Part::kLokr1A), parts.matrix(Part::kLokr1B));
  const Tensor second = parts.has(Part::kLokr2)
                            ? parts.matrix(Part::kLokr2)
                            : factored(parts, Part::kLokr2A, Part::kLokr2B, Part::kLokrT2);
  return at::kron(first, second);
}

// The change of a weight [out, in * ...] before the user's scale, and what alpha makes of it.
struct Change {
  Tensor matrix;
  double factor;
};

Change change_of(const Parts& parts) {
  const LoraModule& module = parts.module;
  if (parts.has(Part::kUp)) return {low_rank(parts), over_rank(module, parts.rank_of(Part::kDown))};
  if (parts.has(Part::kHada1A))
    return {factored(parts, Part::kHada1A, Part::kHada1B, Part::kHadaT1) *
                factored(parts, Part::kHada2A, Part::kHada2B, Part::kHadaT2),
            over_rank(module, parts.rank_of(Part::kHada1B))};
  if (parts.has(Part::kDiff)) return {parts.matrix(Part::kDiff), 1.0};
  // Two whole factors have no rank: LyCORIS gives alpha no meaning there.
  const double factor = parts.has(Part::kLokr1B)   ? over_rank(module, parts.rank_of(Part::kLokr1B))
                        : parts.has(Part::kLokr2B) ? over_rank(module, parts.rank_of(Part::kLokr2B))
                                                   : 1.0;
  return {kronecker(parts), factor};
}

// DoRA, eq. 5: W' = m (W + dW) / ||W + dW||, the norm taken of each output's row, or of each input's column
// where LyCORIS stored [1, in, ...].
Tensor with_magnitudes(const Parts& parts, const Tensor& weight) {
  const Part part = parts.has(Part::kMagnitude) ? Part::kMagnitude : Part::kDoraScale;
  const Tensor magnitudes = parts.read(part);
  const bool is_row = magnitudes.dim() > 1 && magnitudes.size(0) == 1;
  const bool by_input = part == Part::kDoraScale && magnitudes.numel() == weight.size(1) &&
                        (is_row || magnitudes.numel() != weight.size(0));
  const Tensor rows = by_input ? weight.transpose(0, 1) : weight;
  const Tensor norms = rows.reshape({rows.size(0), -1}).norm(2, {1}, /*keepdim=*/true);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  shape[by_input ? 1 : 0] = rows.size(0);
  // A row of zeros stays one.
  const Tensor factors = magnitudes.reshape({-1, 1}) / norms.clamp_min(1e-30);
  return weight * factors.reshape(shape);
}

Tensor require_finite(const Parts& parts, const Tensor& tensor) {
  if (!is_finite(tensor))
    fail_input(parts.file.path, ": '", parts.module.name,
               "' holds numbers that are not finite, or become so; the file is damaged");
  return tensor;
}

}  // namespace

bool changes_weight(const LoraModule& module) {
  return std::any_of(module.keys.begin(), module.keys.end(), [](const auto& part) {
    return part.first == Part::kDown || part.first == Part::kUp || part.first == Part::kDiff ||
           (part.first >= Part::kHada1A && part.first <= Part::kLokrT2);
  });
}

bool changes_bias(const LoraModule& module) {
  return module.keys.contains(Part::kDiffBias);
}

Tensor merged_weight(const LoraFile& file, const LoraModule& module, double scale, const Tensor& weight) {
  const Parts parts{file, module};
  const Change change = change_of(parts);
  const Tensor merged = weight.add(change.matrix.reshape(weight.sizes()), scale * change.factor);
  const bool has_magnitudes = parts.has(Part::kMagnitude) || parts.has(Part::kDoraScale);
  return require_finite(parts, has_magnitudes ? with_magnitudes(parts, merged) : merged);
}

Tensor merged_bias(const LoraFile& file, const LoraModule& module, double scale, const Tensor& bias) {
  const Parts parts{file, module};
  return require_finite(parts, bias.add(parts.read(Part::kDiffBias).reshape(bias.sizes()), scale));
}

}  // namespace sdgen
