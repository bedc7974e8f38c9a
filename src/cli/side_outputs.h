// What a run writes beside its pictures, as options ask: attention maps, previews, a sheet of all, a report.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/options.h"
#include "cli/progress.h"
#include "cli/sweep.h"
#include "cli/terminal_graphics.h"
#include "sdgen/generator.h"
#include "sdgen/report.h"

namespace sdgen::cli {

// The pictures of a run as they were asked for.
struct RunPlan {
  std::vector<Job> jobs;                                  // complete
  std::vector<std::vector<std::filesystem::path>> names;  // [job][picture]
  std::vector<SweptValues> swept;                         // by job; empty where nothing is swept
};

class SideOutputs {
 public:
  // Throws Error(kRequest) for what could not be written. All must outlive it.
  SideOutputs(const Options& options, const RunPlan& plan, const ModelInfo& model, ProgressBar& bar);

  // What the run must deliver for it.
  RunOptions run_options() const;

  void note_stage(const StageEvent& event);
  void show_preview(const Preview& preview);
  // After the picture itself is written. Throws Error(kWorking) for what cannot be.
  void add_picture(const Picture& picture);
  // Sheet and report. Throws Error(kWorking).
  void finish();

 private:
  std::filesystem::path preview_path(const Preview& preview) const;
  std::filesystem::path attention_folder(const Picture& picture) const;
  std::filesystem::path grid_path() const;
  std::filesystem::path report_path() const;
  void write_grid() const;

  const Options& options_;
  const RunPlan& plan_;
  const ModelInfo& model_;
  ProgressBar& bar_;
  TerminalGraphics terminal_ = TerminalGraphics::kNone;
  std::map<std::pair<std::size_t, int>, std::vector<Preview>> previews_;  // of pictures in work
  std::map<std::pair<std::size_t, int>, Picture> pictures_;               // for the sheet
  RunReport report_;
};

}  // namespace sdgen::cli
