// The command line and the config file, as one struct.
#pragma once

#include <string>
#include <vector>

#include "cli/request_fields.h"
#include "sdgen/request.h"

namespace sdgen::cli {

enum class Command { kGenerate, kBench, kVersion };

enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError, kOff };

struct Options {
  Command command = Command::kGenerate;
  std::string message;  // not empty: print this and stop (--help)
  Job job;              // the request, or what every line of a prompt file starts from
  bool has_prompt = false;
  std::string prompt_file;  // "-" is standard input; empty: the prompt is in `job`
  std::string model;        // as given; empty: the default model
  ComputeOptions compute;
  int batch_size = 1;
  bool overwrite = false;
  bool json = false;
  LogLevel log_level = LogLevel::kInfo;
  int repetitions = 5;  // bench: measured runs
  int warmup = 1;       // bench: runs before them
};

// Reads the arguments behind the program's name. A config file's values come first, flags win over them.
// Throws Error(kRequest) for a wrong flag, word, key or value, Error(kInput) for a config file that cannot be
// read.
Options parse_options(const std::vector<std::string>& arguments);

}  // namespace sdgen::cli
