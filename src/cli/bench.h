// sd-gen bench: the speed and memory of every stage.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/options.h"
#include "cli/statistics.h"
#include "sdgen/generator.h"

namespace sdgen::cli {

// Seconds of each stage in one run.
struct RunTimes {
  double load = 0.0;         // all components
  double text_encode = 0.0;  // all of it
  std::vector<double> denoise_steps;
  double decode = 0.0;
  double total = 0.0;  // by the wall clock, without loading
  std::uint64_t peak_memory_bytes = 0;
};

struct BenchReport {
  ModelInfo model;
  int width = 0;   // pixels
  int height = 0;  // pixels
  int batch_size = 1;
  std::vector<std::pair<std::string, Summary>>
      stages;                           // load, text_encode, denoise_step, decode, total; seconds
  std::vector<RunTimes> runs;           // what the stages summarise, as measured
  double pictures_per_minute = 0.0;     // from the median of total
  std::uint64_t peak_memory_bytes = 0;  // of the process
  std::vector<std::pair<std::string, std::string>> versions;
};

void add_event(RunTimes& times, const StageEvent& event);

// Fills stages, runs, pictures_per_minute and peak_memory_bytes; `report.batch_size` must be set.
void add_times(BenchReport& report, const std::vector<RunTimes>& runs);

std::string bench_json(const BenchReport& report);  // one line, format of design section 4
std::string bench_text(const BenchReport& report);  // an aligned table

// Runs the command and returns the exit code. Throws Error.
int bench(const Options& options);

}  // namespace sdgen::cli
