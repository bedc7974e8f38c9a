// What --help, -h and `sd-gen help` print, laid out for the terminal's width.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/options/options.h"

namespace sdgen::cli {

// Columns of standard output: a terminal's, else $COLUMNS, else 80; never less than 40 or more than 120.
std::size_t help_width();

// Text broken between words into lines of at most `width` columns, the second and later ones indented.
// Newlines stay. A word that is longer stands alone.
std::string wrapped(const std::string& text, std::size_t width, std::size_t indent = 0);

// Everything: what the command does, all flags, what holds for all of them.
std::string full_help(Command command, std::size_t width);

// Some twenty lines: the commonest recipes and where more is.
std::string short_help(std::size_t width);

// What `sd-gen help TOPIC` knows beside the commands: the first word of each group of flags, in small
// letters.
std::vector<std::string> help_topics();

// The flags of one group. Throws Error(kRequest) with the nearest name for an unknown topic.
std::string topic_help(const std::string& topic, std::size_t width);

}  // namespace sdgen::cli
