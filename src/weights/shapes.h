// What shapes tell: sizes of tensors that must be there, and how many of a kind there are.
#pragma once

#include <string>

#include "base/tensor.h"
#include "weights/tensor_source.h"

namespace sdgen {

// Size `dimension` of `key`, at least 1. Throws Error(kInput) naming file and key if there is no such tensor
// or dimension, or if it is empty.
inline std::int64_t size_of(const TensorSource& source, const std::string& key, std::size_t dimension) {
  const TensorInfo* const info = source.find(key);
  if (!info) fail_input(source.describe(), ": tensor '", key, "' is missing, whose shape tells the model's");
  if (info->shape.size() <= dimension || info->shape[dimension] < 1)
    fail_input(info->file, ": tensor '", info->stored_key, "' has the unusable shape ",
               shape_text(info->shape));
  return info->shape[dimension];
}

inline bool has_tensor(const TensorSource& source, const std::string& key) {
  return source.find(key) != nullptr;
}

// How many of `prefix`0`suffix`, `prefix`1`suffix`, ... there are without a gap.
inline int count_tensors(const TensorSource& source, const std::string& prefix, const std::string& suffix) {
  int count = 0;
  while (has_tensor(source, prefix + std::to_string(count) + suffix)) ++count;
  return count;
}

}  // namespace sdgen
