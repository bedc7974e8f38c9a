#include "compute/compute.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <malloc.h>

#include <fstream>
#include <map>
#include <sstream>

#include "base/memory.h"
#include "compute/kernels/kernels.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

at::Device choose_device(const ComputeOptions& options) {
  const bool has_cuda = at::hasCUDA() && at::detail::getCUDAHooks().deviceCount() > 0;
  if (options.device == Device::kCpu || (options.device == Device::kAuto && !has_cuda)) return at::kCPU;
  if (!has_cuda)
    fail_working("--device cuda: no CUDA device; ",
                 at::globalContext().hasCUDART() ? "the driver shows no GPU" : "this libtorch is a CPU build",
                 "; use --device cpu, or build with a CUDA libtorch on a machine with a GPU");
  const int devices = at::detail::getCUDAHooks().deviceCount();
  if (options.device_index < 0 || options.device_index >= devices)
    fail_working("--device cuda:", options.device_index,
                 ": no such device; this machine has cuda:0 to cuda:", devices - 1);
  return {at::kCUDA, static_cast<at::DeviceIndex>(options.device_index)};
}

at::ScalarType choose_dtype(DType dtype, const at::Device& device) {
  switch (dtype) {
    case DType::kFloat32:
      return at::kFloat;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kAuto:
      break;
  }
  // On CUDA both half formats are as fast. float16 has three more bits, so its picture is nearer to
  // float32's, and cards before Ampere compute it too. What overflows in its range is the VAE, and that is
  // decoded again.
  if (device.is_cuda()) return at::kHalf;
  // Only with the processor's own bfloat16 instructions is it the faster one.
  return best_simd() == Simd::kAvx512 ? at::kBFloat16 : at::kFloat;
}

}  // namespace

Compute choose_compute(const ComputeOptions& options) {
  best_simd();  // what SDGEN_CPU_LEVEL gets wrong is told here, not in a thread that computes
  const at::Device device = choose_device(options);
  if (device.is_cpu()) keep_freed_memory();
  // float32 means float32 on a GPU too, and half precision adds up in float32.
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowFP16ReductionCuBLAS(false);
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
  return {device, choose_dtype(options.dtype, device), options.quantize};
}

std::string device_name(const Compute& compute) {
  return compute.device.str();
}

std::string dtype_name(at::ScalarType dtype) {
  static const std::map<at::ScalarType, std::string> kNames = {{at::kFloat, "float32"},
                                                               {at::kHalf, "float16"},
                                                               {at::kBFloat16, "bfloat16"},
                                                               {at::kDouble, "float64"},
                                                               {at::kLong, "int64"},
                                                               {at::kInt, "int32"},
                                                               {at::kShort, "int16"},
                                                               {at::kChar, "int8"},
                                                               {at::kByte, "uint8"},
                                                               {at::kBool, "bool"},
                                                               {at::kUInt16, "uint16"},
                                                               {at::kUInt32, "uint32"},
                                                               {at::kUInt64, "uint64"},
                                                               {at::kFloat8_e4m3fn, "float8_e4m3fn"},
                                                               {at::kFloat8_e5m2, "float8_e5m2"}};
  const auto name = kNames.find(dtype);
  return name == kNames.end() ? at::toString(dtype) : name->second;
}

Tensor to_device(const Tensor& tensor, const at::Device& device) {
  if (device.is_cpu()) return tensor;
  // From pageable memory the copy would wait for the device.
  return tensor.pin_memory().to(device, tensor.scalar_type(), /*non_blocking=*/true);
}

SearchForConvolutions::SearchForConvolutions() : before_(at::globalContext().benchmarkCuDNN()) {
  at::globalContext().setBenchmarkCuDNN(true);
}

SearchForConvolutions::~SearchForConvolutions() {
  at::globalContext().setBenchmarkCuDNN(before_);
}

void synchronize(const Compute& compute) {
  if (compute.device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(compute.device.index());
}

std::uint64_t peak_memory_bytes() {
  std::uint64_t bytes = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) != 0) continue;
    std::istringstream(line.substr(6)) >> bytes;
    bytes *= 1024;  // the kernel counts in KiB
  }
  return bytes;
}

void release_freed_memory() {
  malloc_trim(0);
}

}  // namespace sdgen
