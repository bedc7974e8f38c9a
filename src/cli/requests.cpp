#include "cli/requests.h"

namespace sdgen::cli {
namespace {

// The column of the field that cannot be drawn: the first that is refused when it stands alone.
std::size_t wrong_column(const CompleteRequest& complete, const PromptLine& line) {
  for (const auto& [field, column] : line.columns) {
    Job alone;
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

PromptFile read_requests(const Options& options) {
  if (!options.prompt_file.empty()) {
    Job defaults = options.job;
    defaults.prompt.clear();
    return read_prompt_file(options.prompt_file, defaults);
  }
  return {"", {PromptLine{options.job, 0, {}}}, {}};
}

void complete_requests(const CompleteRequest& complete, const Options& options, PromptFile& file) {
  Request own = options.job;
  own.prompt.clear();
  try {
    complete(own);
  } catch (const Error& error) {
    // What only the model lacks (a scheduler we know) each line may still make up for (its own sampler).
    if (error.kind() == ErrorKind::kRequest) throw;
  }
  for (PromptLine& line : file.lines) {
    try {
      static_cast<Request&>(line.job) = complete(line.job);
    } catch (const Error& error) {
      if (line.line == 0 || error.kind() != ErrorKind::kRequest) throw;
      file.errors.push_back({line.line, wrong_column(complete, line), error.what()});
    }
  }
  if (!file.errors.empty()) throw PromptFileError(file.name, file.errors);
}

}  // namespace sdgen::cli
