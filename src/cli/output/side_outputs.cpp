#include "cli/output/side_outputs.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "cli/options/output_names.h"
#include "cli/options/refuse.h"
#include "cli/options/repeat_command.h"
#include "cli/output/picture_sheet.h"
#include "sdgen/attention.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

// Pictures are kept in memory for a sheet or a report.
constexpr std::size_t kMaxInReport = 100;
constexpr std::size_t kMaxThumbnails = 40;
constexpr double kMaxGridPixels = 1.5e8;

bool is_a_picture(const RunPlan& plan, const fs::path& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  for (const auto& of_job : plan.names)
    for (const fs::path& name : of_job)
      if (fs::absolute(name).lexically_normal() == normal) return true;
  return false;
}

// A file of its own, which nothing is in the way of.
void check_file(const RunPlan& plan, const fs::path& path, const std::string& flag, bool overwrite) {
  refuse_tilde(path.string());
  if (is_a_picture(plan, path)) refuse(flag + " " + path.string() + ": one of the pictures has that name");
  require_makeable_folder(fs::absolute(path).parent_path());
  require_free(path, overwrite, flag);
}

void write_into_folder(const fs::path& path, const std::vector<std::uint8_t>& bytes, bool overwrite) {
  std::error_code ignored;
  fs::create_directories(fs::absolute(path).parent_path(), ignored);  // writing tells what is wrong
  write_file_atomically(path, bytes, overwrite);
}

std::vector<std::uint8_t> encoded(const Image& image, const fs::path& path, int quality) {
  return encode_picture(image, picture_format(path.string()).value_or(PictureFormat::kPng), quality, {});
}

// The page shows no single steps of the attention and few thumbnails.
Picture for_report(const Picture& picture) {
  Picture kept = picture;
  if (!picture.attention || picture.attention->steps.empty()) return kept;
  AttentionMaps maps = *picture.attention;
  maps.steps.clear();
  kept.attention = std::make_shared<const AttentionMaps>(std::move(maps));
  return kept;
}

std::vector<Preview> thinned(const std::vector<Preview>& previews) {
  const std::size_t every = (previews.size() + kMaxThumbnails - 1) / kMaxThumbnails;
  std::vector<Preview> kept;
  for (std::size_t i = 0; i < previews.size(); i += every) kept.push_back(previews[i]);
  return kept;
}

}  // namespace

std::size_t RunPlan::pictures() const {
  return position(names.size(), 0) - 1;
}

const fs::path& RunPlan::name(std::size_t job, int picture) const {
  return names[job][static_cast<std::size_t>(picture)];
}

std::size_t RunPlan::position(std::size_t job, int picture) const {
  std::size_t before = 0;
  for (std::size_t i = 0; i < job; ++i) before += names[i].size();
  return before + static_cast<std::size_t>(picture) + 1;
}

SideOutputs::SideOutputs(const Options& options, const RunPlan& plan, const ModelInfo& model,
                         ProgressBar& bar, std::function<void(const std::string&)> tell,
                         std::function<void(const std::string&)> warn)
    : options_(options),
      plan_(plan),
      model_(model),
      bar_(bar),
      tell_(std::move(tell)),
      warn_(std::move(warn)) {
  report_.model = model;
  report_.command = options.command_line;
  if (options.preview > 0 && options.preview_file.empty() && is_terminal())
    terminal_ = terminal_graphics([](const char* name) { return std::getenv(name); });
  plan_attention();
  check_previews();
  check_grid();
  check_report();
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
  if (options_.preview == 0 || preview.step % options_.preview != 0 || previews_fail_) return;
  try {
    if (terminal_ == TerminalGraphics::kNone) {
      const fs::path path = preview_path(preview.request_index, preview.index);
      write_into_folder(path, encoded(preview.image, path, options_.quality), /*overwrite=*/true);
      if (!std::exchange(is_preview_told_, true)) tell_("the preview is in " + path.string());
      if (options_.preview_file.empty()) preview_files_.insert(path);
      return;
    }
    const std::string picture = terminal_picture(terminal_, preview.image);
    bar_.erase();
    std::fwrite(picture.data(), 1, picture.size(), stderr);
    std::fflush(stderr);
    bar_.redraw();
  } catch (const Error& error) {
    previews_fail_ = true;
    warn_(std::string(error.what()) + "; there are no more previews");
  }
}

void SideOutputs::add_picture(const Picture& picture) {
  const Key key{picture.request_index, picture.index};
  const auto kept = previews_.extract(key);
  const std::vector<Preview> previews = kept ? kept.mapped() : std::vector<Preview>();
  drop_picture(picture.request_index, picture.index);
  const Job& job = plan_.jobs[picture.request_index];
  if (!options_.report.empty())
    report_.pictures.push_back({plan_.name(picture.request_index, picture.index).string(),
                                repeat_command(job, picture.seed, model_, options_), job, for_report(picture),
                                thinned(previews)});
  if (!grid_path().empty())
    pictures_[key] = {picture.request_index, picture.index,   picture.seed,
                      picture.image,         picture.seconds, nullptr};
  if (options_.attention_maps.empty() || !picture.attention) return;
  std::vector<Image> images;
  for (const Preview& preview : previews) images.push_back(preview.image);
  fs::path folder = attention_folders_[picture.request_index][static_cast<std::size_t>(picture.index)];
  if (job.best_of > 1 && plan_.pictures() > 1)  // as the picture, under the seed that was kept
    folder.replace_filename(attention_folder_name(picture.request_index, picture.index));
  write_attention(folder, job, picture.image, *picture.attention, images, options_.overwrite);
}

void SideOutputs::drop_picture(std::size_t job, int picture) {
  previews_.erase({job, picture});
  const fs::path path = preview_path(job, picture);
  std::error_code ignored;
  if (preview_files_.erase(path) > 0) fs::remove(path, ignored);
}

std::vector<fs::path> SideOutputs::finish() {
  std::error_code ignored;
  for (const fs::path& path : preview_files_) fs::remove(path, ignored);  // of what was interrupted
  std::vector<fs::path> written;
  std::optional<Error> failure;
  const auto write = [&](const fs::path& path, const std::function<void()>& work) {
    try {
      work();
      written.push_back(path);
    } catch (const Error& error) {
      if (!failure) failure = error;
    }
  };
  if (!pictures_.empty()) write(grid_path(), [this] { write_grid(); });
  if (!report_.pictures.empty()) write(report_path(), [this] { write_report(); });
  if (failure) throw *failure;
  return written;
}

void SideOutputs::plan_attention() {
  if (options_.attention_maps.empty()) {
    if (options_.attention_detail) refuse("--attention-detail goes with --attention-maps DIR");
    return;
  }
  refuse_tilde(options_.attention_maps);
  require_makeable_folder(options_.attention_maps);
  std::set<std::string> stems;
  for (const auto& of_job : plan_.names)
    for (const fs::path& name : of_job) stems.insert(name.stem().string());
  const std::size_t total = plan_.pictures();
  are_folders_numbered_ = stems.size() < total;
  for (const auto& of_job : plan_.names) {
    attention_folders_.emplace_back();
    for (int k = 0; k < static_cast<int>(of_job.size()); ++k) {
      const std::string folder = total == 1 ? "" : attention_folder_name(attention_folders_.size() - 1, k);
      attention_folders_.back().push_back(fs::path(options_.attention_maps) / folder);
      for (const char* file : {"attention.safetensors", "words.json", "panel.png", "film.png", "steps.png"})
        require_free(attention_folders_.back().back() / file, options_.overwrite, "--attention-maps");
    }
  }
}

std::string SideOutputs::attention_folder_name(std::size_t job, int picture) const {
  const std::string stem = plan_.name(job, picture).stem().string();
  return are_folders_numbered_ ? std::to_string(plan_.position(job, picture)) + "-" + stem : stem;
}

void SideOutputs::check_previews() const {
  if (options_.preview_file.empty()) {
    return check_previews_of(plan_);
  }
  if (options_.preview == 0) refuse("--preview-file goes with --preview N");
  check_file(plan_, options_.preview_file, "--preview-file", options_.overwrite);
  require_writable_folder(fs::path(options_.preview_file).parent_path());
}

void SideOutputs::check_previews_of(const RunPlan& plan) const {
  if (options_.preview == 0 || !options_.preview_file.empty() || terminal_ != TerminalGraphics::kNone) return;
  for (std::size_t job = 0; job < plan.names.size(); ++job)
    for (int k = 0; k < static_cast<int>(plan.names[job].size()); ++k)
      require_free(preview_path_of(plan, job, k), options_.overwrite, "--preview-file");
}

void SideOutputs::check_grid() const {
  if (grid_path().empty()) return;
  double widest = 0, highest = 0;
  for (const Job& job : plan_.jobs) {
    widest = std::max<double>(widest, *job.width);
    highest = std::max<double>(highest, *job.height);
  }
  const double enlarged = std::max(1.0, 128 / widest);
  const double pixels =
      static_cast<double>(plan_.pictures()) * (enlarged * widest + 24) * (enlarged * highest + 48);
  if (pixels > kMaxGridPixels)
    refuse("a sheet of all pictures would have " + std::to_string(static_cast<long>(pixels / 1e6)) +
           " million pixels; it takes " + std::to_string(static_cast<long>(kMaxGridPixels / 1e6)) +
           " million");
  check_file(plan_, grid_path(), "--grid", options_.overwrite);
}

void SideOutputs::check_report() const {
  if (options_.report.empty()) return;
  if (plan_.pictures() > kMaxInReport)
    refuse("--report holds at most " + std::to_string(kMaxInReport) + " pictures, this run has " +
           std::to_string(plan_.pictures()));
  check_file(plan_, report_path(), "--report", options_.overwrite);
}

fs::path SideOutputs::preview_path_of(const RunPlan& plan, std::size_t job, int picture) const {
  if (!options_.preview_file.empty()) return options_.preview_file;
  const fs::path& name = plan.name(job, picture);
  if (name == kStandardOutput) return "sd-gen-" + std::to_string(*plan.jobs[job].seed) + "-preview.png";
  return name.parent_path() / (name.stem().string() + "-preview.png");
}

fs::path SideOutputs::grid_path() const {
  if (!options_.grid.empty() || options_.sweep.empty()) return options_.grid;
  return plan_.name(0, 0).parent_path() /
         ("sd-gen-sheet-" + std::to_string(*plan_.jobs.front().seed) + ".png");
}

fs::path SideOutputs::report_path() const {
  return fs::path(options_.report) / "report.html";
}

void SideOutputs::write_grid() const {
  const Image sheet = contact_sheet(picture_sheet(plan_, pictures_));
  write_into_folder(grid_path(), encoded(sheet, grid_path(), options_.quality), options_.overwrite);
}

void SideOutputs::write_report() const {
  const std::string page = report_page(report_);
  write_into_folder(report_path(), {page.begin(), page.end()}, options_.overwrite);
}

}  // namespace sdgen::cli
