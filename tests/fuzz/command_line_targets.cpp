// Files that the command line reads.
#include <sstream>

#include "cli/options/config_file.h"
#include "cli/options/prompt_file.h"
#include "fuzz/targets.h"

namespace sdgen::fuzz {
namespace {

void parse_prompt_lines(std::string_view bytes) {
  cli::parse_prompt_text("x", bytes, {});
}

void parse_jsonl(std::string_view bytes) {
  cli::parse_prompt_jsonl("x", bytes, {});
}

void parse_toml(std::string_view bytes) {
  std::istringstream text{std::string(bytes)};
  cli::parse_config("x", text);
}

}  // namespace

std::vector<FuzzTarget> command_line_targets() {
  return {{"prompt_lines", parse_prompt_lines}, {"jsonl", parse_jsonl}, {"toml", parse_toml}};
}

}  // namespace sdgen::fuzz
