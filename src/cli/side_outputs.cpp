#include "cli/side_outputs.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "cli/output_names.h"
#include "cli/picture_sheet.h"
#include "cli/repeat_command.h"
#include "sdgen/attention.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

// Pictures are kept in memory for a sheet or a report.
constexpr std::size_t kMostInReport = 200;
constexpr double kMostGridPixels = 4e8;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::kRequest, message);
}

std::size_t total(const RunPlan& plan) {
  std::size_t count = 0;
  for (const auto& of_job : plan.names) count += of_job.size();
  return count;
}

void check_grid(const RunPlan& plan) {
  double pixels = 0;
  for (const Job& job : plan.jobs) pixels += static_cast<double>(*job.width) * *job.height * job.count;
  if (pixels > kMostGridPixels)
    refuse("--grid: all pictures together have " + std::to_string(static_cast<long>(pixels / 1e6)) +
           " million pixels; a sheet takes 400 million");
}

std::string stem_of(const fs::path& path) {
  return path.stem().string();
}

bool stems_repeat(const RunPlan& plan) {
  std::set<std::string> seen;
  for (const auto& of_job : plan.names)
    for (const fs::path& name : of_job)
      if (!seen.insert(stem_of(name)).second) return true;
  return false;
}

std::size_t position(const RunPlan& plan, std::size_t request_index, int index) {
  std::size_t before = 0;
  for (std::size_t i = 0; i < request_index; ++i) before += plan.names[i].size();
  return before + static_cast<std::size_t>(index) + 1;
}

std::vector<std::uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

}  // namespace

SideOutputs::SideOutputs(const Options& options, const RunPlan& plan, const ModelInfo& model,
                         ProgressBar& bar)
    : options_(options), plan_(plan), model_(model), bar_(bar) {
  report_.model = model;
  report_.command = options.command_line;
  if (options.attention_detail && options.attention_maps.empty() && options.report.empty())
    refuse("--attention-detail goes with --attention-maps DIR");
  if (!options.attention_maps.empty()) {
    require_makeable_folder(options.attention_maps);
    for (std::size_t job = 0; job < plan.names.size(); ++job)
      for (int k = 0; k < static_cast<int>(plan.names[job].size()); ++k) {
        const fs::path folder = attention_folder({job, k, 0, {}, 0.0, nullptr});
        require_free(folder / "attention.safetensors", options.overwrite);
      }
  }
  if (!options.report.empty()) {
    if (total(plan) > kMostInReport)
      refuse("--report holds at most " + std::to_string(kMostInReport) + " pictures, this run has " +
             std::to_string(total(plan)));
    require_makeable_folder(options.report);
    require_free(report_path(), options.overwrite);
  }
  if (!grid_path().empty()) {
    check_grid(plan);
    require_makeable_folder(fs::absolute(grid_path()).parent_path());
    require_free(grid_path(), options.overwrite);
  }
  if (options.preview > 0 && options.preview_file.empty() && is_terminal())
    terminal_ = terminal_graphics([](const char* name) { return std::getenv(name); });
}

RunOptions SideOutputs::run_options() const {
  RunOptions run;
  run.batch_size = options_.batch_size;
  run.attention = !options_.attention_maps.empty() || !options_.report.empty();
  run.attention_steps = options_.attention_detail;
  // A report and a film show every step.
  const bool all_steps = !options_.report.empty() || options_.attention_detail;
  run.preview_every = all_steps ? 1 : options_.preview;
  return run;
}

void SideOutputs::note_stage(const StageEvent& event) {
  if (options_.report.empty()) return;
  const std::string name = event.stage == "load" ? "load " + event.detail : event.stage;
  auto found = std::find_if(report_.stages.begin(), report_.stages.end(),
                            [&](const ReportStage& stage) { return stage.name == name; });
  if (found == report_.stages.end()) found = report_.stages.insert(found, {name});
  found->seconds += event.seconds;
  ++found->count;
}

void SideOutputs::show_preview(const Preview& preview) {
  if (run_options().preview_every == 1) previews_[{preview.request_index, preview.index}].push_back(preview);
  if (options_.preview == 0 || preview.step % options_.preview != 0) return;
  if (terminal_ == TerminalGraphics::kNone)
    return write_file_atomically(preview_path(preview), encode_png(preview.image, {}), /*overwrite=*/true);
  const std::string picture = terminal_picture(terminal_, preview.image);
  bar_.erase();
  std::fwrite(picture.data(), 1, picture.size(), stderr);
  std::fflush(stderr);
  bar_.redraw();
}

void SideOutputs::add_picture(const Picture& picture) {
  const std::pair<std::size_t, int> key = {picture.request_index, picture.index};
  const auto kept = previews_.extract(key);
  const std::vector<Preview> previews = kept ? kept.mapped() : std::vector<Preview>();
  const Job& job = plan_.jobs[picture.request_index];
  if (options_.preview > 0 && terminal_ == TerminalGraphics::kNone && options_.preview_file.empty()) {
    std::error_code ignored;
    fs::remove(preview_path({picture.request_index, picture.index, 0, 0, {}}), ignored);
  }
  if (!options_.report.empty()) {
    const fs::path& path = plan_.names[picture.request_index][static_cast<std::size_t>(picture.index)];
    report_.pictures.push_back(
        {path.string(), repeat_command(job, picture.seed, model_, options_), job, picture, previews});
  }
  if (!grid_path().empty())
    pictures_[key] = {picture.request_index, picture.index,   picture.seed,
                      picture.image,         picture.seconds, nullptr};
  if (options_.attention_maps.empty() || !picture.attention) return;
  std::vector<Image> images;
  for (const Preview& preview : previews) images.push_back(preview.image);
  write_attention(attention_folder(picture), job, picture.image, *picture.attention, images,
                  options_.overwrite);
}

void SideOutputs::finish() {
  if (!grid_path().empty() && !pictures_.empty()) write_grid();
  if (options_.report.empty() || report_.pictures.empty()) return;
  std::error_code error;
  fs::create_directories(options_.report, error);
  write_file_atomically(report_path(), bytes_of(report_page(report_)), options_.overwrite);
}

fs::path SideOutputs::preview_path(const Preview& preview) const {
  if (!options_.preview_file.empty()) return options_.preview_file;
  const fs::path& picture = plan_.names[preview.request_index][static_cast<std::size_t>(preview.index)];
  return picture.parent_path() / (stem_of(picture) + "-preview.png");
}

fs::path SideOutputs::attention_folder(const Picture& picture) const {
  if (total(plan_) == 1) return options_.attention_maps;
  const fs::path& path = plan_.names[picture.request_index][static_cast<std::size_t>(picture.index)];
  const std::string number = std::to_string(position(plan_, picture.request_index, picture.index));
  return fs::path(options_.attention_maps) /
         (stems_repeat(plan_) ? number + "-" + stem_of(path) : stem_of(path));
}

fs::path SideOutputs::grid_path() const {
  if (!options_.grid.empty() || options_.sweep.empty()) return options_.grid;
  return "sd-gen-sheet-" + std::to_string(*plan_.jobs.front().seed) + ".png";
}

fs::path SideOutputs::report_path() const {
  return fs::path(options_.report) / "report.html";
}

void SideOutputs::write_grid() const {
  std::vector<Picture> pictures;
  for (const auto& [key, picture] : pictures_) pictures.push_back(picture);
  const Image sheet = contact_sheet(picture_sheet(plan_, pictures));
  write_file_atomically(grid_path(), encode_png(sheet, {}), options_.overwrite);
}

}  // namespace sdgen::cli
