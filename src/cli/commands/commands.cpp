#include "cli/commands/commands.h"

#include <cstdio>

#include "cli/commands/bench.h"
#include "cli/commands/convert.h"
#include "cli/commands/generate.h"
#include "cli/commands/inspect.h"
#include "sdgen/generator.h"
#include "sdgen/mapped_files.h"

namespace {

// This program, then the libraries it runs on.
int print_versions() {
  for (const auto& [name, version] : sdgen::versions()) std::printf("%s %s\n", name.c_str(), version.c_str());
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  throw sdgen::Error(sdgen::ErrorKind::kWorking,
                     "standard output cannot be written; free some space or print elsewhere");
}

}  // namespace

// C++ types under a C name: both sides are one build.
extern "C" __attribute__((visibility("default"))) int sdgen_run_command(const sdgen::cli::Options& options) {
  sdgen::survive_cut_files();
  switch (options.command) {
    case sdgen::cli::Command::kBench:
      return sdgen::cli::bench(options);
    case sdgen::cli::Command::kInspect:
      return sdgen::cli::run_inspect(options);
    case sdgen::cli::Command::kConvert:
      return sdgen::cli::run_convert(options);
    case sdgen::cli::Command::kVersion:
      return print_versions();
    case sdgen::cli::Command::kGenerate:
      break;
  }
  return sdgen::cli::generate(options);
}
