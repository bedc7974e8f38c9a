// Every flag as --help, the man page and the shells' completions show it: the rows of request_fields() and
// program_options() in one list.
#pragma once

#include <string>
#include <vector>

#include "cli/options/options.h"

namespace sdgen::cli {

struct FlagRow {
  std::string name;    // the long flag, without dashes
  std::string alias;   // another long name, or empty
  std::string letter;  // the short flag, or empty
  std::string group;   // its heading; empty: accepted, but not shown
  std::string value;   // what it takes; empty: a switch
  std::string help;
  std::vector<std::string> choices{};  // all values, where they are a list

  // "-s", "--name TEXT"
  std::string shown() const;
};

// Of a command that draws or measures, in the order of --help.
std::vector<FlagRow> flag_rows(Command command);

// The headings, in order.
std::vector<std::string> flag_groups(const std::vector<FlagRow>& rows);

}  // namespace sdgen::cli
