// tests/golden/single_files.json.gz: names and shapes of checkpoints, and what diffusers makes of them.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include "support/golden.h"
#include "support/named_numbers.h"

namespace sdgen::testing {

// "cases" or "controlnets"
inline Json single_file_cases(const std::string& list = "cases") {
  const gzFile file = gzopen(golden_path("single_files.json.gz").c_str(), "rb");
  std::string text;
  char part[65536];
  for (int bytes = 0; file && (bytes = gzread(file, part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(bytes));
  if (file) gzclose(file);
  return Json::parse(text).at(list);
}

inline Json single_file_case(const std::string& name) {
  for (const Json& all = single_file_cases(); const Json& each : all)
    if (each.at("name") == name) return each;
  ADD_FAILURE() << "no case " << name;
  return {};
}

inline Shapes single_file_shapes(const std::string& name) {
  return single_file_case(name).at("original").get<Shapes>();
}

}  // namespace sdgen::testing
