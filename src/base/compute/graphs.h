// Recording what a GPU is given to do, so that all of it is given again at one go (CUDA graphs).
#pragma once

#include <functional>
#include <memory>

#include "base/compute.h"
#include "base/tensor.h"

namespace sdgen {

class GraphStream {
 public:
  virtual ~GraphStream() = default;

  // work(), done where it will be recorded, so that what its first call sets up is there by then.
  virtual Tensor warm_up(const std::function<Tensor()>& work) = 0;

  // Records work() without doing it. Each call of what is returned does it again on the same memory: the
  // tensor it gives is always the same one, with new numbers. Throws if something in work() cannot be
  // recorded.
  virtual std::function<Tensor()> record(const std::function<Tensor()>& work) = 0;
};

// nullptr where there are no graphs: on the CPU, and in a build without CUDA's headers.
std::unique_ptr<GraphStream> open_graph_stream(const Compute& compute);

}  // namespace sdgen
