// Where the time of a stage goes.
#pragma once

#include <cstddef>
#include <string>

namespace sdgen {

// What all calls of one operator took within a stage.
struct OperatorTimes {
  std::string name;  // a layer, e.g. "conv 3x3 winograd", or an operator of libtorch, e.g. "aten::cat"
  std::size_t calls = 0;
  double seconds = 0.0;  // without layers inside it
  double gflop = 0.0;    // 10^9 multiplications and additions by the direct method; 0: not counted
};

}  // namespace sdgen
