// The command lines of sd-gen inspect and sd-gen convert: paths and a few flags.
#pragma once

#include <string>
#include <vector>

#include "cli/options/options.h"

namespace sdgen::cli {

// Whether a command line that begins with this word is one of them.
bool is_file_command(const std::string& word);

// Reads the arguments, the command's name first, into options.paths and the flags that go with it. Throws
// Error(kRequest) for an unknown flag, a wrong value, or too few or too many paths.
void parse_file_command(Options& options, const std::vector<std::string>& words);

}  // namespace sdgen::cli
