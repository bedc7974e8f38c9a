#include "cli/commands/picture_run.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/options/model_path.h"
#include "cli/options/output_names.h"

namespace sdgen::cli {
namespace {

// "3 of 9"; of a stream, whose end is not known, "3".
std::string place_text(const PictureRun& run, std::size_t request_index, int index) {
  const std::string place = std::to_string(run.plan.position(request_index, index));
  return run.is_stream ? place : place + " of " + std::to_string(run.tally.total);
}

void note_failure(PictureRun& run, std::size_t request_index, int index, const Error& error) {
  ++run.tally.failed;
  if (!run.tally.first_failure) run.tally.first_failure = error.kind();
  run.side.drop_picture(request_index, index);
  if (run.tally.total == 1 && !run.is_stream) return run.log.error(error.what());
  const Job& job = run.plan.jobs[request_index];
  run.log.error("picture {} (seed {}): {}", place_text(run, request_index, index),
                *job.seed + static_cast<std::uint64_t>(index * job.best_of), error.what());
}

// Pictures are what the run is for: a reader of standard output that has gone does not end it, but for a
// stream, which would go on for ever.
void print_result(PictureRun& run, const std::string& line) {
  if (!run.has_stdout) return;
  run.bar.erase();
  const bool is_written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() &&
                          std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  if (!is_written) {
    run.has_stdout = false;
    run.log.warn(run.is_stream ? "standard output is closed: no more is drawn"
                               : "standard output is closed; pictures are still written");
  }
  run.bar.redraw();
}

// What fails beside the pictures fails the run, but not the picture.
void beside_pictures(PictureRun& run, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    run.side_failed = true;
    run.log.error(error.what());
  }
}

void write_to_stdout(const std::vector<std::uint8_t>& bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0)
    throw Error(ErrorKind::kWorking, "the picture could not be written to standard output");
}

void write_picture(PictureRun& run, const Picture& picture) {
  const std::size_t request_index = picture.request_index;
  const Job& job = run.plan.jobs[request_index];
  auto& path = run.plan.names[picture.request_index][static_cast<std::size_t>(picture.index)];
  if (job.best_of > 1)  // under the seed that draws it again
    path = name_of(run.plan.namings[picture.request_index], job, picture.index, picture.seed, run.model.name);
  const bool is_stdout = path == kStandardOutput;
  try {
    const std::vector<std::uint8_t> bytes = encode_picture(
        picture.image, format_of(path), run.options.quality, text_of(job, picture.seed, run.model));
    is_stdout ? write_to_stdout(bytes) : write_file_atomically(path, bytes, run.options.overwrite);
  } catch (const Error& error) {
    return note_failure(run, picture.request_index, picture.index, error);
  }
  ++run.tally.done;
  run.log.info("picture {}: seed {}{}, {}x{}, {:.2f} s", place_text(run, request_index, picture.index),
               picture.seed,
               picture.score ? fmt::format(" (best of {}, score {:.1f})", job.best_of, *picture.score) : "",
               picture.image.width, picture.image.height, picture.seconds);
  if (!is_stdout)
    print_result(run,
                 run.options.json ? picture_json(path.string(), job, picture, run.model) : path.string());
  beside_pictures(run, [&] { run.side.add_picture(picture); });
}

}  // namespace

std::string model_shown(const Options& options) {
  const std::filesystem::path path = chosen_model(options.model);
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

void log_model(const ModelInfo& model, spdlog::logger& log) {
  log.debug("model {} ({}), {}x{} pixels, on {} in {}, {} thread{}", model.name, model.family, model.width,
            model.height, model.device, model.dtype, model.threads, model.threads == 1 ? "" : "s");
}

PictureFormat format_of(const std::filesystem::path& path) {
  return picture_format(path.string()).value_or(PictureFormat::kPng);  // standard output gets a PNG
}

PictureText text_of(const Job& job, std::uint64_t seed, const ModelInfo& model) {
  return {{"parameters", parameters_text(job, seed, model)}};
}

void check_outputs(const RunPlan& plan, const ModelInfo& model, const Options& options) {
  prepare_outputs(plan.jobs, plan.names, options.overwrite);
  if (!options.overwrite) require_candidates_free(plan.jobs, plan.namings, model.name);
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    const Job& job = plan.jobs[i];
    for (const std::filesystem::path& path : plan.names[i]) {
      if (path != kStandardOutput) {
        require_format_fits(format_of(path), *job.width, *job.height, text_of(job, *job.seed, model));
        continue;
      }
      if (options.json)
        throw Error(ErrorKind::kRequest, "--json and --output - both write to standard output; name a file");
      if (isatty(STDOUT_FILENO) != 0)
        throw Error(ErrorKind::kRequest,
                    "--output - would write a picture to the terminal; redirect it, or name a file");
    }
  }
}

Observer observe(PictureRun& run) {
  Observer observer;
  observer.on_step = [&run](const StepProgress& step) { run.bar.update(step); };
  observer.on_work = [&run](const WorkProgress& work) { run.bar.update(work); };
  observer.on_picture = [&run](const Picture& picture) {
    Picture of_plan = picture;
    of_plan.request_index += run.first_request;
    write_picture(run, of_plan);
  };
  observer.on_failure = [&run](std::size_t request_index, int index, const Error& error) {
    note_failure(run, run.first_request + request_index, index, error);
  };
  observer.on_warning = [&run](const std::string& warning) {
    if (run.warned.insert(warning).second) run.log.warn(warning);
  };
  observer.on_stage = [&run](const StageEvent& event) {
    run.stages.note(event, run.log);
    run.side.note_stage(event);
  };
  if (run.log.should_log(spdlog::level::debug))
    observer.on_plan = [&run](const MemoryPlan& plan) { StageLog::tell_plan(plan, run.log); };
  observer.on_preview = [&run](const Preview& preview) {
    Preview of_plan = preview;
    of_plan.request_index += run.first_request;
    run.side.show_preview(of_plan);
  };
  // A stream ends with the picture that could not be told.
  observer.should_stop = [&run] { return interrupted() || (run.is_stream && !run.has_stdout); };
  return observer;
}

int report(PictureRun& run) {
  run.bar.erase();
  beside_pictures(run, [&run] {
    for (const std::filesystem::path& path : run.side.finish()) run.log.info("wrote {}", path.string());
  });
  run.stages.totals(run.log);
  if (run.tally.is_interrupted)
    tell_interrupted(run.options.log_level, run.tally.done, run.tally.total, "pictures");
  const int code = exit_code(run.tally);
  if (code != 0 || (run.has_stdout && !run.side_failed)) return code;
  if (!run.has_stdout) run.log.error("the results could not be printed to standard output");
  return static_cast<int>(ErrorKind::kWorking);
}

}  // namespace sdgen::cli
