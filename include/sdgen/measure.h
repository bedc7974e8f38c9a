// What the machine can do at best and what it takes from the wall, for benchmarks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "sdgen/compute_options.h"

namespace sdgen {

// The best rate of a few large matrix products and 3x3 convolutions by the libraries that libtorch brings
// (oneDNN; cuBLAS and cuDNN), in 10^9 operations a second, a multiplication and an addition being two. On the
// device, in the dtype and with the threads of `compute`; takes a second or two, which nothing else should
// disturb. Throws as Generator's constructor does.
double peak_gflops(const ComputeOptions& compute);

// What the processor packages have taken from the wall since construction, by Intel's and AMD's own counters
// (RAPL, /sys/class/powercap): the whole of every package, so other programs are in it, and memory and GPU
// are not. Reading them is root's right on most systems.
class EnergyMeter {
 public:
  // `root`: where /sys stands, for tests.
  explicit EnergyMeter(const std::filesystem::path& root = "/");

  // Right for spans in which no counter wraps twice (minutes at full load). Nothing where a counter, or all
  // of them, cannot be read.
  std::optional<double> joules() const;

 private:
  struct Counter {
    std::filesystem::path folder;
    std::optional<std::uint64_t> begin_microjoules;
  };
  std::vector<Counter> counters_;
};

// Lets the peak of memory that StageEvent tells begin anew at what the process holds now. Returns false where
// the system does not let it.
bool forget_peak_memory();

}  // namespace sdgen
