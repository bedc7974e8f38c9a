// Config files: the part of TOML that options need.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

namespace sdgen::cli {

struct ConfigEntry {
  std::string key;    // a long flag name
  std::string value;  // without quotes, escapes resolved
  std::size_t line = 0;
};

// Reads `key = value` lines: "text" with TOML's escapes, 'text', numbers, true and false; # comments.
// CLI11's own reader (2.1) cuts quoted text at a # and knows no line numbers.
// Throws Error(kRequest) as "NAME:LINE: ..." for anything else, keys given twice included.
std::vector<ConfigEntry> parse_config(const std::string& name, std::istream& input);

// The same for a file. Throws Error(kInput) if it cannot be read.
std::vector<ConfigEntry> read_config(const std::string& path);

}  // namespace sdgen::cli
