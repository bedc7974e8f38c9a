// Files that are part of the program, as sdgen_embed() in CMakeLists.txt makes them.
#pragma once

#include <string_view>

namespace sdgen {

std::string_view embedded_font();         // TrueType
std::string_view embedded_report_page();  // HTML with one mark where the run's data go

}  // namespace sdgen
