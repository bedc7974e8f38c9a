// sd-gen bench: the speed, memory and energy of every stage.
#pragma once

#include "cli/commands/bench_report.h"
#include "cli/options/options.h"

namespace sdgen::cli {

// Runs the command and returns the exit code. Throws Error.
int bench(const Options& options);

}  // namespace sdgen::cli
