#include "compute/slow_dtype.h"

#include "compute/kernels/kernels.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

// Whether the CPU computes with numbers of that type itself, as far as we know.
bool computes_with(at::ScalarType dtype) {
#ifdef __x86_64__
  if (dtype == at::kFloat) return true;
  return best_simd() == Simd::kAvx512 && (dtype != at::kHalf || __builtin_cpu_supports("avx512fp16"));
#else
  static_cast<void>(dtype);
  return true;
#endif
}

}  // namespace

std::string slow_dtype_warning(const ComputeOptions& options, const Compute& compute) {
  if (options.dtype == DType::kAuto || !compute.device.is_cpu() || computes_with(compute.dtype)) return "";
  return concat("--dtype ", dtype_name(compute.dtype),
                ": this processor has no instructions for it, so that float32 is several times faster; use "
                "--dtype float32, or leave it out");
}

}  // namespace sdgen
