// sd-gen inspect: what a model, a file or a picture is.
#pragma once

#include <string>

#include "cli/options/options.h"
#include "sdgen/inspect.h"

namespace sdgen::cli {

// For people: short lines, aligned.
std::string inspection_text(const Inspection& inspection);

// One JSON object, its keys in a fixed order: path, kind, format, family, bytes, parameters, components,
// facts, missing, unused, metadata.
std::string inspection_json(const Inspection& inspection);

// Runs the command and returns the exit code. Throws Error.
int run_inspect(const Options& options);

}  // namespace sdgen::cli
