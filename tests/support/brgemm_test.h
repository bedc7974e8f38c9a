// Tests in each number type that brgemm knows.
#pragma once

#include "compute/kernels/kernels.h"
#include "nn/methods/brgemm.h"
#include "support/golden.h"

namespace sdgen::testing {

class BrgemmTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  // Left out only where the processor lacks the instructions; where it has them, brgemm must run.
  void SetUp() override {
    const Simd needed = is_bfloat16() ? Simd::kAvx512 : Simd::kAvx2;
    if (best_simd() < needed)
      GTEST_SKIP() << "no instructions for it: not of this processor, or not at this level";
    ASSERT_TRUE(brgemm_runs_on(at::empty({0}, dtype())));
  }
  static at::ScalarType dtype() { return GetParam(); }
  static bool is_bfloat16() { return dtype() == at::kBFloat16; }
};

}  // namespace sdgen::testing
