// The command line that draws a picture again.
#pragma once

#include <string>
#include <vector>

#include "cli/options/options.h"
#include "sdgen/generator.h"

namespace sdgen::cli {

// Whatever the picture depends on is named, defaults too. `job` is complete.
std::string repeat_command(const Job& job, std::uint64_t seed, const ModelInfo& model,
                           const Options& options);

// Words as a shell takes them, quoted where they must be.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace sdgen::cli
