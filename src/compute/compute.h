// Where tensors live and how wide their numbers are. CUDA is known here only.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

#include "base/tensor.h"
#include "sdgen/compute_options.h"

namespace sdgen {

struct Compute {
  at::Device device{at::kCPU};
  at::ScalarType dtype = at::kFloat;    // of weights and activations
  Quantize quantize = Quantize::kNone;  // of the UNet's large layers
};

// The device and dtype that `options` ask for. In the whole process malloc is told to keep what the CPU's
// tensors free (keep_freed_memory()), and GPUs to compute float32 in float32. Throws Error(kWorking) if
// there is no such device.
Compute choose_compute(const ComputeOptions& options);

// "cpu", "cuda:0"
std::string device_name(const Compute& compute);

// "float32", "bfloat16", "float16"
std::string dtype_name(at::ScalarType dtype);

// `tensor`, which is on the CPU, brought to `device` in order with the work given to it before, without
// waiting for that.
Tensor to_device(const Tensor& tensor, const at::Device& device);

// While it lives, cuDNN tries its algorithms on each convolution it has not met and keeps the fastest: worth
// it for what is done dozens of times. Nothing on the CPU.
class SearchForConvolutions {
 public:
  SearchForConvolutions();
  ~SearchForConvolutions();
  SearchForConvolutions(const SearchForConvolutions&) = delete;
  SearchForConvolutions& operator=(const SearchForConvolutions&) = delete;

 private:
  bool before_;
};

// Waits until the device has done what it was given, so that a clock read next tells the truth. Nothing on
// the CPU.
void synchronize(const Compute& compute);

// The most memory the process has held (resident set, VmHWM), bytes; 0 where the system does not tell.
std::uint64_t peak_memory_bytes();

// Gives memory freed by tensors back to the system.
void release_freed_memory();

}  // namespace sdgen
