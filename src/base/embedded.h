// Files that are part of the program, as sdgen_embed() in CMakeLists.txt makes them.
#pragma once

#include <string_view>

namespace sdgen {

std::string_view embedded_font();         // TrueType
std::string_view embedded_report_page();  // HTML with one placeholder for the run's data

}  // namespace sdgen
