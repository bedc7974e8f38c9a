// A run of sd-gen generate: what is done with each picture, and what is told.
#pragma once

#include <spdlog/logger.h>

#include <set>
#include <string>

#include "cli/commands/generate.h"
#include "cli/output/side_outputs.h"
#include "cli/output/stage_log.h"

namespace sdgen::cli {

// Everything the observers of a run need.
struct PictureRun {
  const Options& options;
  const ModelInfo& model;
  RunPlan& plan;
  SideOutputs& side;
  ProgressBar& bar;
  spdlog::logger& log;
  StageLog stages{};
  Tally tally{};
  bool has_stdout = true;
  bool side_failed = false;
  bool is_stream = false;         // there may be more pictures than are known
  std::size_t first_request = 0;  // of the plan's jobs, the first that Generator::run() was given
  std::set<std::string> warned{};
};

// The model's name on the command line, without its folders.
std::string model_shown(const Options& options);
void log_model(const ModelInfo& model, spdlog::logger& log);

PictureFormat format_of(const std::filesystem::path& path);

// What is written into the picture.
PictureText text_of(const Job& job, std::uint64_t seed, const ModelInfo& model);

// What could not be written is refused before it is drawn: Error(kRequest).
void check_outputs(const RunPlan& plan, const ModelInfo& model, const Options& options);

// `run` must outlive it.
Observer observe(PictureRun& run);

// Writes what comes at the end, tells how the run went, and returns the exit code.
int report(PictureRun& run);

}  // namespace sdgen::cli
