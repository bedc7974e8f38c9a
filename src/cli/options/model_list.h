// What `sd-gen models` and `sd-gen words` print.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sdgen::cli {

struct FoundModel {
  std::string name;    // what -m takes
  std::string family;  // its pipeline class; empty: a single file, which `sd-gen inspect` tells
  std::filesystem::path path;
  std::uint64_t bytes = 0;  // on disk
  bool is_default = false;
};

// By name, each name once: the one that -m NAME would take.
std::vector<FoundModel> found_models(const std::vector<std::filesystem::path>& folders);

// A line per model, then the folders looked in; `json`: an object per line and nothing else.
std::string models_text(const std::vector<FoundModel>& models,
                        const std::vector<std::filesystem::path>& folders, bool json);

// The words that the sdgen.json in a model's folder tells of. `width`: the things in columns, with * behind
// those that take a colour; 0: every word, one per line. Throws Error(kInput) where it cannot be read.
std::string words_text(const std::string& name, const std::filesystem::path& model, std::size_t width);

}  // namespace sdgen::cli
