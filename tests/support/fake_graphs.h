// A stand-in for a GPU's graphs.
#pragma once

#include "base/compute/graphs.h"

namespace sdgen::testing {

// Replays on the memory it recorded, as a GPU does: what is given in other tensors it does not see.
class FakeGraphs : public GraphStream {
 public:
  struct Counts {
    int warm_ups = 0, records = 0, replays = 0;
  };
  explicit FakeGraphs(Counts& counts, bool fails = false) : counts_(counts), fails_(fails) {}

  Tensor warm_up(const std::function<Tensor()>& work) override {
    ++counts_.warm_ups;
    return work();
  }
  std::function<Tensor()> record(const std::function<Tensor()>& work) override {
    if (fails_) TORCH_CHECK(false, "operation not permitted\nwhen stream is capturing");
    ++counts_.records;
    const Tensor result = at::zeros_like(work());
    return [this, work, result] {
      ++counts_.replays;
      result.copy_(work());
      return result;
    };
  }

 private:
  Counts& counts_;
  bool fails_;
};

}  // namespace sdgen::testing
