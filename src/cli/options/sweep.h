// Sweeps: bench over every combination of some flags' values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/options/options.h"

namespace sdgen::cli {

// "steps=10,20". `shown` is how the user wrote the option. Throws Error(kRequest) if it is not of this form
// or names what is no flag of generate that changes what is measured.
SweepAxis parse_sweep(const std::string& shown, const std::string& text);

// (name, value) of each axis.
using SweptValues = std::vector<std::pair<std::string, std::string>>;

struct Combination {
  Options options;
  SweptValues swept;
};

// Every combination of the axes' values, the last axis fastest; one where nothing is swept. Throws
// Error(kRequest) for a value that its flag does not take, a flag swept twice, or more than 10,000 of them.
std::vector<Combination> combinations(const Options& options);

// {"steps":10,"dtype":"bfloat16"}
nlohmann::ordered_json swept_json(const SweptValues& swept);

// "steps 10, dtype bfloat16"
std::string swept_text(const SweptValues& swept);

}  // namespace sdgen::cli
