// What a run writes beside its pictures, as options ask: attention maps, previews, a sheet of all, a report.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/options/options.h"
#include "cli/options/output_names.h"
#include "cli/options/sweep.h"
#include "cli/output/terminal_graphics.h"
#include "cli/progress.h"
#include "sdgen/generator.h"
#include "sdgen/report.h"

namespace sdgen::cli {

// The pictures of a run as they were asked for.
struct RunPlan {
  std::vector<Job> jobs;                                  // complete
  std::vector<JobNaming> namings;                         // [job]
  std::vector<std::vector<std::filesystem::path>> names;  // [job][picture]
  std::vector<SweptValues> swept;                         // by job; empty where nothing is swept

  std::size_t pictures() const;
  const std::filesystem::path& name(std::size_t job, int picture) const;
  // Of a picture in the run, from 1.
  std::size_t position(std::size_t job, int picture) const;
};

class SideOutputs {
 public:
  // `tell` is told what users should know, `warn` what goes wrong without harm. Throws Error(kRequest) for
  // what could not be written. All must outlive it.
  SideOutputs(const Options& options, const RunPlan& plan, const ModelInfo& model, ProgressBar& bar,
              std::function<void(const std::string&)> tell, std::function<void(const std::string&)> warn);

  // For jobs that join the plan later. Throws Error(kRequest) for what could not be written.
  void check_previews_of(const RunPlan& plan) const;

  // What the run must deliver for it.
  RunOptions run_options() const;

  void note_stage(const StageEvent& event);
  void show_preview(const Preview& preview);
  // After the picture itself is written. Throws Error(kWorking) for what cannot be.
  void add_picture(const Picture& picture);
  // A picture that failed.
  void drop_picture(std::size_t job, int picture);
  // Sheet and report; returns where they are. Throws Error(kWorking), when it has written what it can.
  std::vector<std::filesystem::path> finish();

 private:
  using Key = std::pair<std::size_t, int>;  // job, picture

  void plan_attention();
  std::string attention_folder_name(std::size_t job, int picture) const;
  void check_previews() const;
  void check_grid() const;
  void check_report() const;
  std::filesystem::path preview_path(std::size_t job, int picture) const {
    return preview_path_of(plan_, job, picture);
  }
  std::filesystem::path preview_path_of(const RunPlan& plan, std::size_t job, int picture) const;
  std::filesystem::path grid_path() const;  // empty: none
  std::filesystem::path report_path() const;
  void write_grid() const;
  void write_report() const;

  const Options& options_;
  const RunPlan& plan_;
  const ModelInfo& model_;
  ProgressBar& bar_;
  std::function<void(const std::string&)> tell_, warn_;
  TerminalGraphics terminal_ = TerminalGraphics::kNone;
  std::vector<std::vector<std::filesystem::path>> attention_folders_;  // [job][picture]
  bool are_folders_numbered_ = false;  // pictures of several folders have one name
  bool previews_fail_ = false;
  bool is_preview_told_ = false;
  std::set<std::filesystem::path> preview_files_;  // written, and to be removed
  std::map<Key, std::vector<Preview>> previews_;   // of pictures in work
  std::map<Key, Picture> pictures_;                // for the sheet
  RunReport report_;
};

}  // namespace sdgen::cli
