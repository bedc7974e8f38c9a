// Finding models by name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/options/options.h"
#include "sdgen/generator.h"

namespace sdgen::cli {

// Where named models are looked for, in order and without repeats: the folders of `path_list`
// (colon-separated, as SDGEN_MODELS), those given at build time, and the ones beside the executable's folder
// `program_folder`.
std::vector<std::filesystem::path> model_folders(const std::string& path_list,
                                                 const std::filesystem::path& program_folder);

// The same for this process, from its environment and its executable.
std::vector<std::filesystem::path> model_folders();

// What find_model() would find by name, sorted, each name once.
std::vector<std::string> model_names(const std::vector<std::filesystem::path>& folders);

// The model to load: --model if given, else SDGEN_MODEL, else the built-in one.
std::string chosen_model(const std::string& flag);

// A path (with a slash, or something there that is a model) as it is, else the first folder's entry of that
// name. Throws Error(kInput) naming the folders looked in and the models found there.
std::filesystem::path find_model(const std::string& name, const std::vector<std::filesystem::path>& folders);

// The files of the model that the options name, of a hub cache's folders the current version. Throws as
// find_model() and hub_snapshot().
ModelFiles model_files(const Options& options);

}  // namespace sdgen::cli
