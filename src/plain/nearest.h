// The known word that a mistyped one may stand for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sdgen {

// Levenshtein's, in characters of UTF-8.
std::size_t edit_distance(std::string_view a, std::string_view b);

// Those of `known` (strings) with the least distance to `name`, in their order; none where that is above
// `most`.
template <typename Known>
std::vector<std::string> all_nearest_of(const std::string& name, const Known& known, std::size_t most) {
  std::vector<std::string> nearest;
  std::size_t least = most;
  for (const std::string& each : known) {
    if (each.size() > name.size() + 4 * most || name.size() > each.size() + 4 * most) continue;
    const std::size_t distance = edit_distance(name, each);
    if (distance > least) continue;
    if (distance < least) nearest.clear();
    least = distance;
    nearest.push_back(each);
  }
  return nearest;
}

// The first of them; empty where there is none.
template <typename Known>
std::string nearest_of(const std::string& name, const Known& known, std::size_t most) {
  const std::vector<std::string> nearest = all_nearest_of(name, known, most);
  return nearest.empty() ? "" : nearest.front();
}

}  // namespace sdgen
