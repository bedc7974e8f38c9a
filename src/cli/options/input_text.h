// Text files that the user names: also pipes, as of `<(command)`, which have no size beforehand.
#pragma once

#include <cstddef>
#include <string>

namespace sdgen::cli {

// The whole of `path`, "-": of standard input. `shown` names it in messages, e.g. "prompt file x.txt". Throws
// Error(kInput) if it is a folder, cannot be opened or read to its end, or has more than `max_bytes`.
std::string read_text(const std::string& path, const std::string& shown, std::size_t max_bytes);

}  // namespace sdgen::cli
