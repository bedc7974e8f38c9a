// Summaries of repeated timings.
#pragma once

#include <cstddef>
#include <vector>

namespace sdgen::cli {

// In the unit of the samples; all zero when there are none.
struct Summary {
  double median = 0.0;  // the mean of the middle two of an even number
  double min = 0.0;
  double max = 0.0;
  std::size_t n = 0;
};

Summary summarise(std::vector<double> samples);

}  // namespace sdgen::cli
