#include "nn/axial_rope.h"

namespace sdgen {
namespace {

Tensor rotation_table(double theta, std::int64_t dim, std::int64_t length) {  // [length, dim / 2] complex64
  const at::TensorOptions exact = at::TensorOptions().dtype(at::kDouble);
  const Tensor frequencies = 1.0 / at::pow(theta, at::arange(0, dim, 2, exact) / dim);
  const Tensor angles = at::outer(at::arange(length, exact), frequencies).to(at::kFloat);
  return at::polar(at::ones_like(angles), angles);
}

}  // namespace

AxialRope::AxialRope(double theta, const std::vector<std::int64_t>& dims,
                     const std::vector<std::int64_t>& lengths, at::Device device) {
  for (std::size_t axis = 0; axis < dims.size(); ++axis)
    tables_.push_back(rotation_table(theta, dims[axis], lengths.at(axis)).to(device));
}

Tensor AxialRope::positions(std::size_t axis, std::int64_t first, std::int64_t count) const {
  const Tensor& table = tables_.at(axis);
  if (first + count > table.size(0))
    fail_request("position ", first + count - 1, " on axis ", axis, ": this model has positions 0 to ",
                 table.size(0) - 1, " there; make the picture smaller or the prompt shorter");
  return table.narrow(0, first, count);
}

Tensor AxialRope::line(std::size_t axis, std::int64_t first, std::int64_t count,
                       const std::vector<std::int64_t>& fixed) const {
  std::vector<Tensor> parts;
  for (std::size_t other = 0; other < tables_.size(); ++other)
    parts.push_back(other == axis ? positions(axis, first, count)
                                  : positions(other, fixed.at(other), 1).expand({count, -1}));
  return at::cat(parts, -1);
}

Tensor AxialRope::grid(std::int64_t plane, std::int64_t height, std::int64_t width) const {
  const auto over_map = [&](const Tensor& x) { return x.expand({height, width, -1}); };
  return at::cat({over_map(positions(0, plane, 1)), over_map(positions(1, 0, height).unsqueeze(1)),
                  over_map(positions(2, 0, width).unsqueeze(0))},
                 -1)
      .flatten(0, 1);
}

Tensor rotate_pairs(const Tensor& x, const Tensor& rotations) {
  const Tensor pairs = at::view_as_complex(x.to(at::kFloat).contiguous().unflatten(-1, {-1, 2}));
  return at::view_as_real(pairs * rotations.unsqueeze(1)).flatten(3).to(x.scalar_type());
}

}  // namespace sdgen
