#include "sdgen/hub_cache.h"

#include <algorithm>
#include <fstream>
#include <system_error>
#include <vector>

#include "plain/errors.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestVersion = 200;  // bytes of a ref's text

bool is_a_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// "model/" -> "model"
fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (is_a_folder(entry->path())) names.push_back(entry->path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// What refs/main says; empty where there is none, or no name of a folder.
std::string current_version(const fs::path& hub_folder) {
  std::ifstream file(hub_folder / "refs" / "main");
  std::string version;
  if (!(file >> version) || version.size() > kLongestVersion || version.find('/') != version.npos ||
      version == "." || version == "..")
    return "";
  return version;
}

}  // namespace

bool is_hub_folder(const fs::path& path) {
  return is_a_folder(path / "snapshots") && (is_a_folder(path / "refs") || is_a_folder(path / "blobs"));
}

fs::path hub_snapshot(const fs::path& path) {
  if (!is_hub_folder(path)) return path;
  const fs::path snapshots = path / "snapshots";
  const std::string version = current_version(path);
  if (!version.empty()) {
    if (is_a_folder(snapshots / version)) return snapshots / version;
    fail_input(path.string(), ": refs/main names version ", version,
               ", which is not in snapshots/; fetch the model again, or name a folder of snapshots/");
  }
  const std::vector<std::string> versions = folders_in(snapshots);
  if (versions.size() == 1) return snapshots / versions.front();
  if (versions.empty())
    fail_input(path.string(), ": a hub cache's folder without a version; fetch the model again");
  fail_input(path.string(), ": holds ", versions.size(),
             " versions and no refs/main; name one of them: ", (snapshots / versions.front()).string(),
             ", ...");
}

std::string hub_name(const fs::path& path) {
  const std::string_view prefix = "models--";
  for (fs::path part = without_slash(path.lexically_normal()); part.has_relative_path();
       part = part.parent_path()) {
    const std::string name = part.parent_path().parent_path().filename();
    if (part.parent_path().filename() != "snapshots" || !name.starts_with(prefix)) continue;
    return name.substr(name.rfind("--") + 2);
  }
  return "";
}

}  // namespace sdgen
