#include "plain/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "plain/unicode.h"

namespace sdgen {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::u32string from = decode_utf8(a).chars, to = decode_utf8(b).chars;
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace sdgen
