// What a fuzzer may do to each parser: bytes in, and nothing but a return or an sdgen::Error out.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sdgen::fuzz {

struct FuzzTarget {
  std::string name;  // also of its folder in the corpus
  void (*parse)(std::string_view bytes);
};

std::vector<FuzzTarget> weights_targets();
std::vector<FuzzTarget> picture_targets();
std::vector<FuzzTarget> text_targets();
std::vector<FuzzTarget> config_targets();
std::vector<FuzzTarget> command_line_targets();

// All of them.
const std::vector<FuzzTarget>& targets();

// Null if there is none of that name.
const FuzzTarget* find_target(std::string_view name);

// Lets `target` parse `bytes`; an Error(kInput) or (kRequest) is what hostile bytes deserve, anything else
// passes through.
void run_target(const FuzzTarget& target, std::string_view bytes);

// A folder of this process alone, removed at its end.
const std::filesystem::path& scratch_folder();

// The file `name` of that folder, written anew; `name` may hold folders.
std::filesystem::path scratch_file(const std::string& name, std::string_view bytes);

}  // namespace sdgen::fuzz
