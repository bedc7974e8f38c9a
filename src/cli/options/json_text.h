// JSON that users and files give, looked at before it is parsed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sdgen::cli {

// Why `text` is not to be parsed as JSON: "nested too deeply (limit 64)", or "too many values (limit N)";
// empty if it is neither. Deep values overflow the stack when they are copied or compared, many small ones
// fill the memory.
std::string json_excess(std::string_view text, std::size_t most_values);

}  // namespace sdgen::cli
