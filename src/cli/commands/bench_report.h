// What sd-gen bench found, and how it is told.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands/compare.h"
#include "cli/commands/statistics.h"
#include "cli/options/sweep.h"
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
  std::optional<double> joules;  // of all processor packages
};

// An operator's part in a stage.
struct OperatorRow {
  std::string name;
  double calls = 0.0;
  double seconds = 0.0;
  double gflop = 0.0;  // 0: not counted
};

// A stage of the profiled run, on average over its events.
struct StageProfile {
  std::string stage;  // denoise_step, decode
  std::size_t n = 0;  // events
  double seconds = 0.0;
  double gflop = 0.0;
  std::vector<OperatorRow> operators;  // the dearest first; the last, "other", is what no operator took
};

struct BenchReport {
  ModelInfo model;
  int width = 0;   // pixels
  int height = 0;  // pixels
  int batch_size = 1;
  int steps = 0;
  std::string sampler{};
  double guidance_scale = 0.0;
  std::vector<std::pair<std::string, Summary>>
      stages{};                                // load, text_encode, denoise_step, decode, total; seconds
  std::vector<RunTimes> runs{};                // what the stages summarise, as measured
  double pictures_per_minute = 0.0;            // from the median of total
  std::uint64_t peak_memory_bytes = 0;         // of the process
  std::optional<double> joules_per_picture{};  // of all processor packages; the median over the runs
  std::vector<StageProfile> profiles{};        // empty: not profiled
  std::optional<double> peak_gflops{};         // of the machine
  SweptValues swept{};
  std::optional<Comparison> comparison{};
  std::vector<std::pair<std::string, std::string>> versions{};
};

void add_event(RunTimes& times, const StageEvent& event);

// Fills stages, runs, pictures_per_minute, peak_memory_bytes and joules_per_picture; `report.batch_size` must
// be set.
void add_times(BenchReport& report, const std::vector<RunTimes>& runs);

// The profiles of denoise_step and decode, from the events of one run with RunOptions::operators.
std::vector<StageProfile> stage_profiles(const std::vector<StageEvent>& events);

// What a stage of this name is worth, null where it was not profiled or nothing was counted.
const StageProfile* find_work(const BenchReport& report, const std::string& stage);

// `gflop` in `seconds` as a part of the machine's peak. Nothing where one of them is not known.
std::optional<double> part_of_peak(const BenchReport& report, double gflop, double seconds);

nlohmann::ordered_json bench_object(const BenchReport& report);   // format of design section 4
std::string bench_json(const BenchReport& report);                // the same as one line
std::string bench_text(const BenchReport& report);                // aligned tables
std::string sweep_text(const std::vector<BenchReport>& reports);  // a row a combination

}  // namespace sdgen::cli
