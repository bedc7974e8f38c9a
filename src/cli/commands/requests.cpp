#include "cli/commands/requests.h"

#include <random>

namespace sdgen::cli {
namespace {

// The column of the field that cannot be drawn: the first that is refused when it stands alone.
std::size_t wrong_column(const CompleteRequest& complete, const PromptLine& line) {
  for (const auto& [field, column] : line.columns) {
    Job alone;
    alone.prompt = line.job.prompt;  // some fields are about its words
    copy_field(line.job, alone, *field);
    try {
      complete(alone);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kRequest) return column;
    }
  }
  return 1;
}

}  // namespace

PromptFile read_requests(const Options& options, const std::string* arrived) {
  if (!options.prompt_file.empty()) {
    Job defaults = options.job;
    defaults.prompt.clear();
    if (arrived) {
      PromptFile file = parse_prompt_text("standard input", *arrived, defaults);
      if (!file.lines.empty() || !file.errors.empty()) return file;
      throw Error(ErrorKind::kRequest, "standard input holds no prompt");
    }
    return read_prompt_file(options.prompt_file, defaults);
  }
  return {"", {PromptLine{options.job, 0, {}}}, {}};
}

SweptRequests read_swept_requests(const Options& options, const std::string* arrived) {
  if (options.sweep.empty()) return {read_requests(options, arrived), {}};
  if (!options.prompt_file.empty())
    throw Error(ErrorKind::kRequest, "--sweep draws one prompt: give it with --prompt, not as a file");
  for (const SweepAxis& axis : options.sweep)
    if (axis.name != "size" && !find_field(axis.name))
      throw Error(ErrorKind::kRequest, "--sweep: only sd-gen bench sweeps " + axis.name +
                                           "; a run has one model, machine and dtype");
  Options seeded = options;
  if (!seeded.job.seed && seeded.job.edit_picture.empty()) seeded.job.seed = std::random_device{}();
  SweptRequests requests;
  for (const Combination& combination : combinations(seeded)) {
    requests.file.lines.push_back({combination.options.job, 0, {}});
    requests.swept.push_back(combination.swept);
  }
  return requests;
}

bool complete_line(const CompleteRequest& complete, PromptLine& line, PromptFile& file) {
  try {
    static_cast<Request&>(line.job) = complete(line.job);
    return true;
  } catch (const Error& error) {
    if (line.line == 0 || error.kind() != ErrorKind::kRequest) throw;
    file.errors.push_back({line.line, wrong_column(complete, line), error.what()});
    return false;
  }
}

void complete_requests(const CompleteRequest& complete, const Options& options, PromptFile& file) {
  Request own = options.job;
  own.prompt.clear();
  own.attend.clear();  // of words that only the prompts have
  own.focus.clear();
  try {
    complete(own);
  } catch (const Error& error) {
    // What only the model lacks (a scheduler we know) each line may still make up for (its own sampler).
    if (error.kind() == ErrorKind::kRequest) throw;
  }
  for (PromptLine& line : file.lines) complete_line(complete, line, file);
  if (!file.errors.empty()) throw PromptFileError(file.name, file.errors);
}

}  // namespace sdgen::cli
