// A stand-in for a GPU's graphs.
#pragma once

#include "compute/graphs.h"

namespace sdgen::testing {

// Replays on the memory it recorded, as a GPU does: what is given in other tensors it does not see.
class FakeGraphs : public GraphStream {
 public:
  struct Counts {
    int warm_ups = 0, records = 0, replays = 0;
  };
  explicit FakeGraphs(Counts& counts, bool fails = false) : counts_(counts), fails_(fails) {}

  Tensors warm_up(const std::function<Tensors()>& work) override {
    ++counts_.warm_ups;
    return work();
  }
  std::function<Tensors()> record(const std::function<Tensors()>& work) override {
    if (fails_) TORCH_CHECK(false, "operation not permitted\nwhen stream is capturing");
    ++counts_.records;
    Tensors results;
    for (const Tensor& result : work()) results.push_back(at::zeros_like(result));
    return [this, work, results] {
      ++counts_.replays;
      const Tensors found = work();
      for (std::size_t i = 0; i < found.size(); ++i) results[i].copy_(found[i]);
      return results;
    };
  }

 private:
  Counts& counts_;
  bool fails_;
};

}  // namespace sdgen::testing
