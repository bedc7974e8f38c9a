// The weights of a component as its layers see them: a view below a prefix, checked against the shape a layer
// expects.
//
//   Weights unet(source, compute);
//   Tensor weight = unet.at("mid_block").at("attentions.0").tensor("norm.weight", {1280});
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compute/compute.h"
#include "weights/tensor_source.h"

namespace sdgen {

class Weights {
 public:
  enum class Mode {
    kRead,       // tensors are read, converted and checked to be finite
    kCheckOnly,  // tensors have the right shape and no memory (meta device): a whole model is checked in
                 // milliseconds
  };

  Weights(std::shared_ptr<const TensorSource> source, const Compute& compute, Mode mode);

  // The view below `name`.
  Weights at(const std::string& name) const;
  Weights at(std::int64_t index) const { return at(std::to_string(index)); }

  // The tensor on the compute device in its dtype. Throws Error(kInput) naming file, key, expected and found
  // shape if it is missing, misshapen, or holds a number that is not finite (there or in the compute dtype).
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape) const;

  // What to tell where the file holds tensors that no layer asked for: "FILE: 3 tensors are of no layer that
  // its config tells of, e.g. 'x'; they are left out". Empty: it holds none. Keys that begin with one of
  // `ignored` do not count.
  std::string unused_warning(const std::vector<std::string>& ignored = {}) const;

  // The same as an Error(kInput), where it cannot be told: config and weights do not belong together.
  void require_all_used(const std::vector<std::string>& ignored) const;

  // Of all tensors of this view.
  std::vector<std::vector<std::int64_t>> shapes() const;
  const Compute& compute() const;
  bool is_check_only() const;

  // What the layers built from these weights are to be quantized to.
  Quantize quantize() const;
  // The same weights for layers that stay as they are.
  Weights unquantized() const;

  std::string describe() const;

 private:
  struct Shared;
  Weights(std::shared_ptr<Shared> shared, std::string prefix, Quantize quantize);
  std::vector<std::string> unused(const std::vector<std::string>& ignored) const;

  std::shared_ptr<Shared> shared_;
  std::string prefix_;  // "" or "mid_block."
  Quantize quantize_;
};

}  // namespace sdgen
