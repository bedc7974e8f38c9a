// Recording what a GPU is given to do, so that all of it is given again at one go (CUDA graphs).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/tensor.h"
#include "compute/compute.h"

namespace sdgen {

using Tensors = std::vector<Tensor>;

class GraphStream {
 public:
  virtual ~GraphStream() = default;

  // work(), done where it will be recorded, so that what its first call sets up is there by then.
  virtual Tensors warm_up(const std::function<Tensors()>& work) = 0;

  // Records work() without doing it. Each call of what is returned does it again on the same memory: the
  // tensors it gives are always the same ones, with new numbers. Throws if something in work() cannot be
  // recorded.
  virtual std::function<Tensors()> record(const std::function<Tensors()>& work) = 0;
};

// nullptr where there are no graphs: on the CPU, and in a build without CUDA's headers.
std::unique_ptr<GraphStream> open_graph_stream(const Compute& compute);

}  // namespace sdgen
