// sd-gen --prompt - while prompts are still being written: each is drawn when its line is there.
#pragma once

#include <spdlog/logger.h>

#include "cli/commands/generate.h"
#include "cli/options/prompt_stream.h"
#include "cli/progress.h"

namespace sdgen::cli {

// Whether the prompts may be drawn before all are known: they come from standard input, and nothing is to be
// made of all pictures together.
bool may_stream(const Options& options);

// Draws `lines`, then what comes after them, with the model kept loaded. A wrong line is told and counts as a
// picture that failed. Ends with the input, when interrupted, or when the reader of standard output has gone.
// Returns the exit code.
int generate_stream(const Options& options, const OpenGenerator& open, PromptStream& stream,
                    ArrivedLines lines, ProgressBar& bar, spdlog::logger& log);

}  // namespace sdgen::cli
