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
#include "cli/commands/generate_stream.h"
#include "cli/commands/picture_run.h"
#include "cli/commands/requests.h"
#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/options/model_path.h"
#include "cli/options/output_names.h"
#include "cli/output/side_outputs.h"
#include "plain/request_table.h"

namespace sdgen::cli {
namespace {

// Milliseconds without a line after which standard input counts as a stream, not as a file that is being
// copied.
constexpr int kQuiet = 300;

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
  std::optional<std::string> arrived;
  if (may_stream(options)) {
    PromptStream stream(STDIN_FILENO, STDOUT_FILENO);
    if (isatty(STDIN_FILENO) != 0) log->info("waiting for prompts, one a line; Ctrl-D ends");
    const ArrivedLines lines = stream.next(kQuiet, [] { return false; });
    if (!lines.is_end) return generate_stream(options, open, stream, lines, bar, *log);
    arrived = lines.text;
  }
  SweptRequests requests = read_swept_requests(options, arrived ? &*arrived : nullptr);
  const std::vector<EarlierPicture> earlier = take_from_pictures(requests.file);
  bar.tell("opening " + model_shown(options));
  Generator generator = open_and_complete(open, options, requests.file);
  log_model(generator.info(), *log);
  for (const EarlierPicture& picture : earlier)
    if (const std::string text = edit_warning(picture, generator.info()); !text.empty()) log->warn(text);

  RunPlan plan;
  for (const PromptLine& line : requests.file.lines) plan.jobs.push_back(line.job);
  plan.namings = job_namings(plan.jobs);
  plan.names = output_names(plan.jobs, generator.info().name);
  plan.swept = std::move(requests.swept);
  SideOutputs side(
      options, plan, generator.info(), bar, [&log](const std::string& text) { log->info(text); },
      [&log](const std::string& text) { log->warn(text); });
  check_outputs(plan, generator.info(), options);

  PictureRun run{options, generator.info(), plan, side, bar, *log};
  for (const auto& of_job : plan.names) run.tally.total += of_job.size();
  watch_interrupts(options.log_level <= LogLevel::kInfo);
  run.tally.is_interrupted =
      !generator.run({plan.jobs.begin(), plan.jobs.end()}, side.run_options(), observe(run));
  return report(run);
}

}  // namespace sdgen::cli
