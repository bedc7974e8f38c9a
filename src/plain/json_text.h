// JSON that users and files give, looked at before it is parsed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sdgen {

// Deeper nesting of arrays and objects serves nobody: configs and requests have a few levels.
inline constexpr int kMaxJsonDepth = 64;

// Why `text` is not to be parsed as JSON: "is nested too deeply (limit 64)" or "has too many values (limit
// N)"; empty if it is neither. Deep values overflow the stack when they are copied or compared, many small
// ones fill the memory.
std::string json_excess(std::string_view text, std::size_t most_values);

}  // namespace sdgen
