// sd-gen generate: draw and write every picture.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "cli/options/options.h"
#include "sdgen/generator.h"

namespace sdgen::cli {

// How a run went.
struct Tally {
  std::size_t total = 0;
  std::size_t done = 0;  // drawn and written
  std::size_t failed = 0;
  std::optional<ErrorKind> first_failure = {};
  bool is_interrupted = false;
};

// 0; 130 if interrupted; 4 if some failed; the first failure's own kind if none was done.
int exit_code(const Tally& tally);

// One line of --json, without its line end: path, seed, prompt, negative_prompt, width, height, steps,
// sampler, guidance_scale, model, seconds; then what else was asked for and draws the same picture again,
// under the fields' names with underscores; the score of --best-of. `job` is complete.
std::string picture_json(const std::string& path, const Job& job, const Picture& picture,
                         const ModelInfo& model);

// The generator that a command line asks for.
using OpenGenerator = std::function<Generator(const Options&)>;
Generator open_generator(const Options& options);

// Runs the command and returns the exit code. Throws Error for all that is found before the first step, and
// for what ends a run.
int generate(const Options& options, const OpenGenerator& open = open_generator);

}  // namespace sdgen::cli
