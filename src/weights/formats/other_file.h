// What a file is that was given for weights and holds none.
#pragma once

#include <string>
#include <string_view>

namespace sdgen {

// How many of a file's first bytes tell.
inline constexpr std::size_t kTellingBytes = 512;

// "is a web page (HTML), not weights; REMEDY": of a file that begins with `bytes`. Empty: it may hold
// weights.
std::string other_file(std::string_view bytes);

}  // namespace sdgen
