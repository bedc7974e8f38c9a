// Tensors and their shapes at stage borders.
#pragma once

#include <ATen/ATen.h>

#include <initializer_list>
#include <optional>
#include <string>

#include "plain/errors.h"

namespace sdgen {

using at::Tensor;

// "[2, 77, 768]"
std::string shape_text(at::IntArrayRef shape);

// Bytes that libtorch counts with for a tensor of `shape`, each size of 0 as 1; nothing if they pass 63 bits,
// which it would not make even where the tensor is empty.
std::optional<std::uint64_t> stride_bytes(at::IntArrayRef shape, at::ScalarType dtype);

// Throws Error(kWorking) unless `tensor` has `shape`; -1 stands for any size.
void require_shape(const Tensor& tensor, std::initializer_list<std::int64_t> shape, const std::string& name);

// True if no element is NaN or infinite. One pass over a tensor that is.
bool is_finite(const Tensor& tensor);

// Whether compute/kernels knows the tensor's numbers: float32 or bfloat16 on the CPU.
bool has_kernels(const Tensor& tensor);

}  // namespace sdgen
