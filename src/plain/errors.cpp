#include "plain/errors.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace sdgen {
namespace {

constexpr std::size_t kLongestName = 80;

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

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
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  if (nearest != known.end() &&
      edit_distance(name, *nearest) <= std::max<std::size_t>(1, (name.size() + 1) / 3))
    message += concat("did you mean ", *nearest, "? ");
  return message + "known: " + join(known);
}

}  // namespace sdgen
