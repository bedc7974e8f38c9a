#include "cli/commands/generate.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "cli/commands/edit_from.h"
#include "cli/commands/requests.h"
#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/options/model_path.h"
#include "cli/options/output_names.h"
#include "cli/output/side_outputs.h"
#include "cli/output/stage_log.h"
#include "plain/request_table.h"

namespace sdgen::cli {
namespace {

// Everything the observers of a run need.
struct Run {
  const Options& options;
  const ModelInfo& model;
  const RunPlan& plan;
  SideOutputs& side;
  ProgressBar& bar;
  spdlog::logger& log;
  StageLog stages;
  Tally tally;
  bool has_stdout = true;
  bool side_failed = false;
};

void note_failure(Run& run, std::size_t request_index, int index, const Error& error) {
  ++run.tally.failed;
  if (!run.tally.first_failure) run.tally.first_failure = error.kind();
  run.side.drop_picture(request_index, index);
  if (run.tally.total == 1) return run.log.error(error.what());
  const Job& job = run.plan.jobs[request_index];
  run.log.error("picture {} of {} (seed {}): {}", run.plan.position(request_index, index), run.tally.total,
                *job.seed + static_cast<std::uint64_t>(index * job.best_of), error.what());
}

// Pictures are what the run is for: a reader of standard output that has gone does not end it.
void print_result(Run& run, const std::string& line) {
  if (!run.has_stdout) return;
  run.bar.erase();
  const bool is_written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() &&
                          std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  if (!is_written) {
    run.has_stdout = false;
    run.log.warn("standard output is closed; pictures are still written");
  }
  run.bar.redraw();
}

// What fails beside the pictures fails the run, but not the picture.
void beside_pictures(Run& run, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    run.side_failed = true;
    run.log.error(error.what());
  }
}

PictureFormat format_of(const std::filesystem::path& path) {
  return picture_format(path.string()).value_or(PictureFormat::kPng);  // standard output gets a PNG
}

PictureText text_of(const Job& job, std::uint64_t seed, const ModelInfo& model) {
  return {{"parameters", parameters_text(job, seed, model)}};
}

void write_to_stdout(const std::vector<std::uint8_t>& bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0)
    throw Error(ErrorKind::kWorking, "the picture could not be written to standard output");
}

void write_picture(Run& run, const Picture& picture) {
  const Job& job = run.plan.jobs[picture.request_index];
  const auto& path = run.plan.names[picture.request_index][static_cast<std::size_t>(picture.index)];
  const bool is_stdout = path == kStandardOutput;
  try {
    const std::vector<std::uint8_t> bytes = encode_picture(
        picture.image, format_of(path), run.options.quality, text_of(job, picture.seed, run.model));
    is_stdout ? write_to_stdout(bytes) : write_file_atomically(path, bytes, run.options.overwrite);
  } catch (const Error& error) {
    return note_failure(run, picture.request_index, picture.index, error);
  }
  ++run.tally.done;
  run.log.info("picture {} of {}: seed {}{}, {}x{}, {:.2f} s",
               run.plan.position(picture.request_index, picture.index), run.tally.total, picture.seed,
               picture.score ? fmt::format(" (best of {}, score {:.1f})", job.best_of, *picture.score) : "",
               picture.image.width, picture.image.height, picture.seconds);
  if (!is_stdout)
    print_result(run,
                 run.options.json ? picture_json(path.string(), job, picture, run.model) : path.string());
  beside_pictures(run, [&] { run.side.add_picture(picture); });
}

// What could not be written is refused before it is drawn.
void check_outputs(const RunPlan& plan, const ModelInfo& model, const Options& options) {
  prepare_outputs(plan.jobs, plan.names, options.overwrite);
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

Observer observe(Run& run) {
  Observer observer;
  observer.on_step = [&run](const StepProgress& step) { run.bar.update(step); };
  observer.on_picture = [&run](const Picture& picture) { write_picture(run, picture); };
  observer.on_failure = [&run](std::size_t request_index, int index, const Error& error) {
    note_failure(run, request_index, index, error);
  };
  observer.on_warning = [&run](const std::string& warning) { run.log.warn(warning); };
  observer.on_stage = [&run](const StageEvent& event) {
    run.stages.note(event, run.log);
    run.side.note_stage(event);
  };
  if (run.log.should_log(spdlog::level::debug))
    observer.on_plan = [&run](const MemoryPlan& plan) { StageLog::tell_plan(plan, run.log); };
  observer.on_preview = [&run](const Preview& preview) { run.side.show_preview(preview); };
  observer.should_stop = interrupted;
  return observer;
}

std::string json_of(const std::vector<WordWeight>& attend) {
  return attend_text(attend);
}
std::string json_of(const std::vector<WordBox>& focus) {
  return focus_text(focus);
}
template <typename T>
nlohmann::ordered_json json_of(const T& value) {
  return value;
}
template <typename T>
nlohmann::ordered_json json_of(const std::optional<T>& value) {
  return *value;
}

// Opens the model and completes the requests. A file's wrong lines are reported even where there is no model.
Generator open_and_complete(const OpenGenerator& open, const Options& options, PromptFile& file) {
  std::optional<Generator> generator;
  try {
    generator.emplace(open(options));
  } catch (const Error&) {
    if (file.errors.empty()) throw;
    throw PromptFileError(file.name, file.errors);
  }
  complete_requests([&](const Request& request) { return generator->complete(request); }, options, file);
  return std::move(*generator);
}

void log_model(const ModelInfo& model, spdlog::logger& log) {
  log.debug("model {} ({}), {}x{} pixels, on {} in {}, {} threads", model.name, model.family, model.width,
            model.height, model.device, model.dtype, model.threads);
}

int report(Run& run) {
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

void add_told(nlohmann::ordered_json& json, const Job& job, const ModelInfo& model) {
  for (const RequestRow& row : request_rows()) {
    if (row.metadata.empty() || !job.given.contains(row.name) || told_values(row, job, model).empty())
      continue;
    std::string key(row.name);
    std::replace(key.begin(), key.end(), '-', '_');
    std::visit([&](auto member) { json[key] = json_of(job.*member); }, row.member);
  }
}

}  // namespace

int exit_code(const Tally& tally) {
  if (tally.is_interrupted) return 130;
  if (tally.failed == 0) return 0;
  if (tally.done > 0) return 4;
  return static_cast<int>(tally.first_failure.value_or(ErrorKind::kWorking));
}

std::string picture_json(const std::string& path, const Job& job, const Picture& picture,
                         const ModelInfo& model) {
  nlohmann::ordered_json json;
  json["path"] = path;
  json["seed"] = picture.seed;
  json["prompt"] = job.prompt;
  json["negative_prompt"] = job.negative_prompt;
  json["width"] = picture.image.width;
  json["height"] = picture.image.height;
  json["steps"] = *job.steps;
  json["sampler"] = *job.sampler;
  json["guidance_scale"] = *job.guidance_scale;
  json["model"] = model.name;
  json["seconds"] = std::round(picture.seconds * 1e4) / 1e4;
  add_told(json, job, model);
  if (picture.score) json["score"] = std::round(*picture.score * 1e4) / 1e4;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Generator open_generator(const Options& options) {
  return {model_files(options), options.compute};
}

int generate(const Options& options, const OpenGenerator& open) {
  ProgressBar bar(options.log_level <= LogLevel::kInfo && is_terminal());
  const auto log = make_logger(options.log_level, bar);
  SweptRequests requests = read_swept_requests(options);
  const std::vector<EarlierPicture> earlier = take_from_pictures(requests.file);
  Generator generator = open_and_complete(open, options, requests.file);
  log_model(generator.info(), *log);
  for (const EarlierPicture& picture : earlier)
    if (const std::string text = edit_warning(picture, generator.info()); !text.empty()) log->warn(text);

  RunPlan plan;
  for (const PromptLine& line : requests.file.lines) plan.jobs.push_back(line.job);
  plan.names = output_names(plan.jobs, generator.info().name);
  plan.swept = std::move(requests.swept);
  SideOutputs side(options, plan, generator.info(), bar,
                   [&log](const std::string& text) { log->warn(text); });
  check_outputs(plan, generator.info(), options);

  Run run{options, generator.info(), plan, side, bar, *log, {}, {}};
  for (const auto& of_job : plan.names) run.tally.total += of_job.size();
  watch_interrupts();
  run.tally.is_interrupted =
      !generator.run({plan.jobs.begin(), plan.jobs.end()}, side.run_options(), observe(run));
  return report(run);
}

}  // namespace sdgen::cli
