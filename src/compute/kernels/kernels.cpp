#include "compute/kernels/kernels.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "plain/errors.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC bug 105593: its own immintrin.h
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

// GCC takes a target for what follows; clang wants an attribute on each function. Nothing may be included
// inside such a region: an inline function of a header would be compiled for it, and used everywhere.
#define SDGEN_PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define SDGEN_INDEPENDENT_LANES SDGEN_PRAGMA(clang loop vectorize(assume_safety))
#define SDGEN_BEGIN_TARGET(features) \
  SDGEN_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define SDGEN_END_TARGET SDGEN_PRAGMA(clang attribute pop)
#else
#define SDGEN_INDEPENDENT_LANES SDGEN_PRAGMA(GCC ivdep)
#define SDGEN_BEGIN_TARGET(features) SDGEN_PRAGMA(GCC push_options) SDGEN_PRAGMA(GCC target(features))
#define SDGEN_END_TARGET SDGEN_PRAGMA(GCC pop_options)
#endif

namespace sdgen {

namespace baseline {
#include "compute/kernels/kernels.inc"
}

#ifdef __x86_64__
SDGEN_BEGIN_TARGET("avx2,fma")
namespace avx2 {
#include "compute/kernels/kernels.inc"
}
SDGEN_END_TARGET

SDGEN_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")
namespace avx512 {
#define SDGEN_AVX512
#include "compute/kernels/kernels.inc"
#undef SDGEN_AVX512
}  // namespace avx512
SDGEN_END_TARGET
#endif

namespace {

Simd machines_simd() {
#ifdef __x86_64__
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512bf16");
  return avx2 && avx512 ? Simd::kAvx512 : avx2 ? Simd::kAvx2 : Simd::kBaseline;
#else
  return Simd::kBaseline;
#endif
}

}  // namespace

const char* simd_name(Simd simd) {
  return simd == Simd::kAvx512 ? "avx512-bf16" : simd == Simd::kAvx2 ? "avx2" : "baseline";
}

Simd simd_within(Simd machine, const char* level) {
  static const std::vector<std::string> kLevels = {simd_name(Simd::kBaseline), simd_name(Simd::kAvx2),
                                                   simd_name(Simd::kAvx512)};  // in the order of Simd
  if (!level || !*level) return machine;
  const auto found = std::find(kLevels.begin(), kLevels.end(), level);
  if (found == kLevels.end()) fail_request("SDGEN_CPU_LEVEL: ", unknown_name("level", level, kLevels));
  return std::min(machine, static_cast<Simd>(std::distance(kLevels.begin(), found)));
}

Simd best_simd() {
  static const Simd best = simd_within(machines_simd(), std::getenv("SDGEN_CPU_LEVEL"));
  return best;
}

namespace {

template <typename T>
const Kernels<T>& table(Simd simd) {
#ifdef __x86_64__
  if (simd == Simd::kAvx512) return avx512::kTable<T>;
  if (simd == Simd::kAvx2) return avx2::kTable<T>;
#endif
  return baseline::kTable<T>;
}

}  // namespace

template <>
const Kernels<float>& kernels<float>(Simd simd) {
  return table<float>(simd);
}

template <>
const Kernels<std::uint16_t>& kernels<std::uint16_t>(Simd simd) {
  return table<std::uint16_t>(simd);
}

}  // namespace sdgen
