#include "plain/json_text.h"

namespace sdgen {

std::string json_excess(std::string_view text, std::size_t most_values) {
  int depth = 0;
  std::size_t values = 0;  // at most: an empty array counts as if it held one
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string && c == '\\')
      ++at;
    else if (c == '"')
      in_string = !in_string;
    if (in_string) continue;
    const bool opens = c == '[' || c == '{';
    if (opens && ++depth > kMaxJsonDepth)
      return "is nested too deeply (limit " + std::to_string(kMaxJsonDepth) + ")";
    if (c == ']' || c == '}') --depth;
    if ((opens || c == ',') && ++values > most_values)
      return "has too many values (limit " + std::to_string(most_values) + ")";
  }
  return "";
}

}  // namespace sdgen
