// A table with rows behind its own, e.g. an embedding with new words.
#pragma once

#include <memory>
#include <string>

#include "weights/tensor_source.h"

namespace sdgen {

// `source` whose tensor `key`, [N, D], is followed by `rows`, [M, D] float32; it is read as float32. Throws
// Error(kInput) if there is no such table of that width.
std::shared_ptr<const TensorSource> append_rows(std::shared_ptr<const TensorSource> source,
                                                const std::string& key, const at::Tensor& rows);

}  // namespace sdgen
