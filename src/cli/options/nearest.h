// Suggestions for mistyped names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdgen::cli {

// The known name that `name` most likely stands for: within a third of its length in edits (case and _ or -
// aside), or the only one that begins with it. Empty if there is none.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

// "; did you mean PREFIXname?", or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known,
                         std::string_view prefix = "");

// "; did you mean NAME? known: a, b", or "; known: a, b", where `label` is "known".
std::string hint_and_list(std::string_view name, const std::vector<std::string>& known,
                          std::string_view label);

// "a, b, c"
std::string comma_list(const std::vector<std::string>& names);

}  // namespace sdgen::cli
