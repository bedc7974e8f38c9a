// The known word that a mistyped one may stand for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sdgen {

// Levenshtein's, in characters of UTF-8.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The first of `known` (strings) with the least distance to `name`, if that is at most `most`; else empty.
template <typename Known>
std::string nearest_of(const std::string& name, const Known& known, std::size_t most) {
  std::string nearest;
  std::size_t least = most + 1;
  for (const std::string& each : known) {
    if (each.size() > name.size() + 4 * most || name.size() > each.size() + 4 * most) continue;
    const std::size_t distance = edit_distance(name, each);
    if (distance < least) nearest = each, least = distance;
  }
  return nearest;
}

}  // namespace sdgen
