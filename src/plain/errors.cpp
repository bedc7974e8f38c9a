#include "plain/errors.h"

#include <algorithm>

#include "plain/nearest.h"

namespace sdgen {
namespace {

constexpr std::size_t kLongestName = 80;

}  // namespace

std::string join(const std::vector<std::string>& words, const std::string& separator) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : separator) + word;
  return joined;
}

std::string unknown_name(const std::string& what, const std::string& whole_name,
                         const std::vector<std::string>& known) {
  const std::string name = whole_name.substr(0, kLongestName);  // it may come from a hostile file
  std::string message = concat("unknown ", what, " '", name, "'; ");
  const std::string nearest = nearest_of(name, known, std::max<std::size_t>(1, (name.size() + 1) / 3));
  if (!nearest.empty()) message += concat("did you mean ", nearest, "? ");
  return message + "known: " + join(known);
}

}  // namespace sdgen
