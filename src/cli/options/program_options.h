// The options that are no part of a request: model, device, messages, bench.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/options/options.h"

namespace sdgen::cli {

// A switch takes no value on the command line, and true or false in a config file.
struct ProgramOption {
  std::string_view name;    // the long flag, without dashes in front
  std::string_view letter;  // the short flag, or empty
  std::string_view group;   // its heading in --help
  std::string_view value;   // what it takes; empty: a switch
  std::string_view help;
  bool only_bench;
  // `name` is the option as the user wrote it. Throws Error(kRequest): "NAME: expected ..., got 'x'".
  void (*set)(Options&, const std::string& name, const std::string& text);
};

// All rows, in the order of --help.
std::span<const ProgramOption> program_options();

// The row of a long name. Null if there is none.
const ProgramOption* find_program_option(std::string_view name);

}  // namespace sdgen::cli
