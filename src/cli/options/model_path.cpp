#include "cli/options/model_path.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "cli/options/adapter_path.h"
#include "cli/options/nearest.h"
#include "sdgen/error.h"
#include "sdgen/hub_cache.h"

namespace sdgen::cli {
namespace {

namespace fs = std::filesystem;

const char kBuiltIn[] = "pictograms";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;  // a link that leads nowhere is there: opening it says so
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

// A diffusers folder, a single file, or a hub cache's folder of one.
bool is_model(const fs::path& path) {
  std::error_code ignored;
  const std::string extension = path.extension().string();
  const bool is_file = extension == ".safetensors" || extension == ".ckpt";
  return is_there(path / "model_index.json") || (is_file && fs::is_regular_file(path, ignored)) ||
         is_hub_folder(path);
}

// The model of that name in `folder`; a file's may be without its extension. Empty: none.
fs::path model_in(const fs::path& folder, const std::string& name) {
  for (const char* extension : {"", ".safetensors", ".ckpt"})
    if (const fs::path path = folder / (name + extension); is_model(path)) return path;
  return {};
}

// "owner/model", as the hub has them.
bool looks_like_hub_id(const std::string& name) {
  const std::size_t slash = name.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < name.size() && slash == name.rfind('/') &&
         name.front() != '.' && name.front() != '~' && fs::path(name).extension() != ".safetensors" &&
         fs::path(name).extension() != ".ckpt" && !is_there(name.substr(0, slash));
}

void add_folder(std::vector<fs::path>& folders, const fs::path& folder) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(folder, error);
  if (error) real = folder;
  if (std::find(folders.begin(), folders.end(), real) == folders.end()) folders.push_back(real);
}

}  // namespace

std::vector<fs::path> model_folders(const std::string& path_list, const fs::path& program_folder) {
  std::vector<fs::path> folders;
  std::istringstream list(path_list);
  for (std::string folder; std::getline(list, folder, ':');)
    if (!folder.empty()) add_folder(folders, folder);
  // An installed program has its own, whatever has become of the checkout it was built in.
  const fs::path own = program_folder / ".." / "share" / "sd-gen" / "models";
  if (!program_folder.empty() && is_there(own)) add_folder(folders, own);
  add_folder(folders, SDGEN_SOURCE_MODELS);
  add_folder(folders, SDGEN_INSTALLED_MODELS);
  if (program_folder.empty()) return folders;
  add_folder(folders, program_folder / ".." / "models");
  add_folder(folders, program_folder / ".." / "share" / "sd-gen" / "models");
  return folders;
}

std::vector<fs::path> model_folders() {
  std::error_code error;
  return model_folders(environment("SDGEN_MODELS"), fs::read_symlink("/proc/self/exe", error).parent_path());
}

std::vector<std::string> model_names(const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
      if (is_model(entry->path())) names.push_back(entry->path().filename());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string chosen_model(const std::string& flag) {
  if (!flag.empty()) return flag;
  const std::string from_environment = environment("SDGEN_MODEL");
  return from_environment.empty() ? kBuiltIn : from_environment;
}

fs::path find_model(const std::string& name, const std::vector<fs::path>& folders) {
  if (looks_like_hub_id(name) && !is_there(name))
    throw Error(ErrorKind::kInput, "no folder or file '" + name +
                                       "'; sd-gen never downloads: fetch the model first (hf download " +
                                       name + " --local-dir " + name.substr(name.find('/') + 1) +
                                       "), then name that folder");
  // A stray folder in the current one must not hide a model of that name.
  if (name.find('/') != std::string::npos || is_model(name)) return name;
  for (const fs::path& folder : folders)
    if (const fs::path path = model_in(folder, name); !path.empty()) return path;
  if (is_there(name)) return name;
  const auto found = model_names(folders);
  std::vector<std::string> shown;
  for (const fs::path& folder : folders) shown.push_back(folder.string());
  throw Error(ErrorKind::kInput, "no model '" + name + "'" + hint_and_list(name, found, "found") +
                                     (found.empty() ? "none" : "") + "; looked in " + comma_list(shown) +
                                     " (SDGEN_MODELS adds folders)");
}

ModelFiles model_files(const Options& options) {
  const std::vector<std::filesystem::path> folders = model_folders();
  ModelFiles files{.model = hub_snapshot(find_model(chosen_model(options.model), folders)),
                   .ema = options.ema};
  for (const auto& [component, path] : options.parts) files.parts.emplace(component, hub_snapshot(path));
  if (!options.ranker.empty()) files.ranker = hub_snapshot(options.ranker);
  if (!options.refiner.empty()) files.refiner = hub_snapshot(find_model(options.refiner, folders));
  for (const std::string& path : options.controlnets) files.controlnets.push_back(hub_snapshot(path));
  for (const std::string& lora : options.loras) files.loras.push_back(read_lora_flag(lora, folders));
  for (const std::string& embedding : options.embeddings)
    files.embeddings.push_back(read_embedding_flag(embedding, folders));
  for (Adapter& lora : files.loras) lora.path = hub_snapshot(lora.path);
  for (Embedding& embedding : files.embeddings) embedding.path = hub_snapshot(embedding.path);
  return files;
}

}  // namespace sdgen::cli
