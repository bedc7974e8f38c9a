// Libraries of ours that are opened while running, beside whatever the program is linked into.
#pragma once

#include <string>

namespace sdgen {

// The function `symbol` of `library`, whose symbols are its own: none of them is seen outside, and it looks
// at home first. It stays loaded. Throws Error(kWorking) with `remedy`, or std::bad_alloc.
void* side_library(const char* library, const char* symbol, const std::string& remedy);

}  // namespace sdgen
