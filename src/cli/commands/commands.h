// The border between the program, which reads the command line, and its commands, which need libtorch and are
// loaded only when one of them is to run.
#pragma once

#include "cli/options/options.h"

namespace sdgen::cli {

// What the loaded library offers under the name kRunCommand: runs options.command and returns the exit code.
// Throws what the command throws.
using RunCommand = int(const Options& options);

constexpr char kRunCommand[] = "sdgen_run_command";

// Loads the library beside the program (see SDGEN_COMMANDS in CMakeLists.txt). Throws Error(kWorking) if it
// cannot be loaded.
RunCommand* load_commands();

}  // namespace sdgen::cli
