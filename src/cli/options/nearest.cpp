#include "cli/options/nearest.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

namespace sdgen::cli {
namespace {

std::string folded(std::string_view name) {
  std::string result(name);
  for (char& c : result) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// Levenshtein distance in which a swap of neighbours costs one edit, as in "sede" for "seed".
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before, last, row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  const std::string wanted = folded(name).substr(0, 64);  // no name is longer; the distance is quadratic
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, (wanted.size() + 1) / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(wanted, folded(candidate));
    if (distance < best_distance) best = &candidate, best_distance = distance;
  }
  if (best) return *best;
  const auto begins = [&](const std::string& candidate) { return folded(candidate).starts_with(wanted); };
  if (wanted.size() < 2 || std::count_if(known.begin(), known.end(), begins) != 1) return {};
  return *std::find_if(known.begin(), known.end(), begins);
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known,
                         std::string_view prefix) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? std::string() : "; did you mean " + std::string(prefix) + nearest + "?";
}

std::string hint_and_list(std::string_view name, const std::vector<std::string>& known,
                          std::string_view label) {
  const std::string hint = did_you_mean(name, known);
  return (hint.empty() ? ";" : hint) + " " + std::string(label) + ": " + comma_list(known);
}

std::string comma_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace sdgen::cli
