// Stages of a run for --verbose.
#pragma once

#include <spdlog/logger.h>

#include <cstddef>
#include <map>
#include <string>

#include "sdgen/generator.h"

namespace sdgen::cli {

// Tells each stage as it ends (single steps at level trace) and sums them up.
class StageLog {
 public:
  void note(const StageEvent& event, spdlog::logger& log);
  void totals(spdlog::logger& log) const;

  // What is to be held, a part a line.
  static void tell_plan(const MemoryPlan& plan, spdlog::logger& log);

 private:
  struct Sum {
    double seconds = 0.0;
    std::size_t times = 0;
  };
  std::map<std::string, Sum> sums_;
  std::uint64_t peak_memory_bytes_ = 0;
};

}  // namespace sdgen::cli
