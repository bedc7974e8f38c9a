// sd-gen convert: a model in another form.
#pragma once

#include "cli/options/options.h"

namespace sdgen::cli {

// Runs the command and returns the exit code. Throws Error.
int run_convert(const Options& options);

}  // namespace sdgen::cli
