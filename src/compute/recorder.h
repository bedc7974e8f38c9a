// Work that is done again and again on tensors of the same shapes: recorded where the device can, else done
// as it is.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compute/graphs.h"

namespace sdgen {

using TensorWork = std::function<Tensors(const Tensors& inputs)>;

class Recorder {
 public:
  // `graphs`: nullptr does everything as it is. `warn` is told once if recording fails; from then on
  // likewise.
  Recorder(std::unique_ptr<GraphStream> graphs, std::function<void(const std::string&)> warn);

  // work(inputs). The first call with a variant and shapes does it, the second records it, and those after
  // only replay: `work` must do the same to any inputs of these shapes, without waiting for the device, leave
  // nothing but its results, and what it reads beside the inputs must stay where it is until forget().
  // `variant` tells apart works that differ in anything else. An input that is the very tensor of the call
  // before is taken as unchanged. Recordings are kept as long as the first input has the same shape. While
  // somebody listens to operators, who would hear none of a replay, everything is done as it is.
  Tensors operator()(int variant, const TensorWork& work, const Tensors& inputs);

  // Gives back the recordings and their memory.
  void forget();

 private:
  using Key = std::pair<int, std::vector<std::vector<std::int64_t>>>;  // variant, shapes of the inputs
  struct Recording {
    Tensors inputs;                   // what is read at each replay
    Tensors given;                    // what they were copied from
    std::function<Tensors()> replay;  // empty until recorded
  };

  // False if it cannot be recorded.
  bool record(Recording& recording, const TensorWork& work);

  std::unique_ptr<GraphStream> graphs_;
  std::function<void(const std::string&)> warn_;
  std::map<Key, Recording> recordings_;
};

}  // namespace sdgen
