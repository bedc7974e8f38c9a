// One line of a prompt file, as text or as JSON.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "cli/options/prompt_file.h"

namespace sdgen::cli {

// Each fills `line`, which holds its number and the defaults, from one line without its line end. Throws
// LineError for the first thing wrong with it.
void parse_text_line(std::string_view text, PromptLine& line);
void parse_json_line(std::string_view text, PromptLine& line);

// Notes where `field` stands and calls `set`, whose Error becomes a LineError there. Throws LineError if the
// line has that field already; `shown` is the field as the user wrote it.
void set_line_field(PromptLine& line, std::size_t column, const RequestField& field, const std::string& shown,
                    const std::function<void()>& set);

}  // namespace sdgen::cli
