// The man page and the shells' completions, from the one table of flags.
#pragma once

#include <string>
#include <vector>

namespace sdgen::cli {

// sd-gen(1) as roff.
std::string man_page();

// For "bash", "zsh" or "fish": what that shell reads to complete sd-gen's flags, their values and the names
// of models. Throws Error(kRequest) for another shell.
std::string completion(const std::string& shell);

}  // namespace sdgen::cli
