// Weights that keep values alive, told by their names, as scripts/make_goldens/z_image_transformer.py fills
// them.
#pragma once

#include <cmath>
#include <memory>

#include "base/json_file.h"
#include "support/named_numbers.h"
#include "support/tensor_map.h"
#include "weights/weights.h"

namespace sdgen::testing {

// Unit gain, norms around 1, small biases, pad tokens of the size of others.
inline at::Tensor filled(const std::string& key, const std::vector<std::int64_t>& shape) {
  const at::Tensor value = named_numbers(key, shape);
  if (key.ends_with("pad_token")) return 2 * value;
  if (shape.size() >= 2)
    return value * static_cast<float>(std::sqrt(12.0 / static_cast<double>(value[0].numel())));
  if (key.ends_with("weight")) return 1 + 0.5 * value;
  return 0.5 * value;
}

// `shapes`: an object, key to shape.
inline Weights filled_weights(const Json& shapes, const Compute& compute = {}) {
  const auto source = std::make_shared<TensorMap>();
  for (const auto& [key, shape] : shapes.items())
    source->add(key, filled(key, shape.get<std::vector<std::int64_t>>()));
  return {source, compute, Weights::Mode::kRead};
}

}  // namespace sdgen::testing
