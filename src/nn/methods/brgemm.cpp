#include "nn/methods/brgemm.h"

#include <ATen/native/CPUBlas.h>

#include <vector>

#include "compute/kernels/kernels.h"

namespace sdgen {

template <typename Scalar>
void brgemm(std::int64_t m, std::int64_t n, std::int64_t k, const Scalar* a, std::int64_t stride_a,
            const Scalar* b, std::int64_t stride_b, float* c, std::int64_t stride_c, bool add) {
  at::native::cpublas::brgemm(m, n, k, stride_a, stride_b, stride_c, add, a, b, c, kInterleaved<Scalar> == 2);
}

template <typename Scalar>
void brgemm_done() {
  at::native::cpublas::brgemm_release(kInterleaved<Scalar> == 2);
}

template <typename Scalar>
bool brgemm_runs() {
  static const bool runs = [] {
    if (best_simd() == Simd::kBaseline || (kInterleaved<Scalar> == 2 && best_simd() != Simd::kAvx512))
      return false;
    const std::vector<Scalar> a(16 * 16), b(16 * 16);
    std::vector<float> c(16 * 16);
    try {
      brgemm<Scalar>(16, 16, 16, a.data(), 16, b.data(), 16, c.data(), 16, false);
      brgemm_done<Scalar>();
    } catch (const std::exception&) {  // libtorch was built without it, or knows better
      return false;
    }
    return true;
  }();
  return runs;
}

bool brgemm_runs_on(const at::Tensor& tensor) {
  if (!tensor.is_cpu()) return false;
  return tensor.scalar_type() == at::kFloat      ? brgemm_runs<float>()
         : tensor.scalar_type() == at::kBFloat16 ? brgemm_runs<at::BFloat16>()
                                                 : false;
}

template void brgemm(std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t, const float*,
                     std::int64_t, float*, std::int64_t, bool);
template void brgemm(std::int64_t, std::int64_t, std::int64_t, const at::BFloat16*, std::int64_t,
                     const at::BFloat16*, std::int64_t, float*, std::int64_t, bool);
template void brgemm_done<float>();
template void brgemm_done<at::BFloat16>();
template bool brgemm_runs<float>();
template bool brgemm_runs<at::BFloat16>();

}  // namespace sdgen
