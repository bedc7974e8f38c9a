// Bench results of today against those of a file.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sdgen::cli {

// New figures divided by old ones.
struct Comparison {
  std::string file;
  // Stages (medians), pictures_per_minute, peak_memory_bytes, joules_per_picture: those that both tell.
  std::vector<std::pair<std::string, double>> ratios;
  std::vector<std::string> differences;  // settings that are not the same: "dtype is bfloat16, was float32"

  std::optional<double> ratio(const std::string& name) const;
};

using BenchObject = nlohmann::ordered_json;  // one result as bench --json prints it

// The results in a file, one or one a line. Throws Error(kInput) naming file and key if it cannot be read or
// holds anything else.
std::vector<BenchObject> read_results(const std::string& path);

// The one of `old` to compare `now` with: the same combination of a sweep, else the only one. Null if there
// is none.
const BenchObject* find_counterpart(const std::vector<BenchObject>& old, const BenchObject& now);

// Both are whole results.
Comparison compare(const std::string& file, const BenchObject& old, const BenchObject& now);

}  // namespace sdgen::cli
