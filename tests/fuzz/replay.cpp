// Gives files to the fuzzers' targets once. Exits 1 where one throws what is no sdgen::Error.
//   sdgen_fuzz_replay TARGET FILE-OR-FOLDER...
//   sdgen_fuzz_replay all CORPUS...              a corpus has a folder for each target
//   sdgen_fuzz_replay list
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/targets.h"

namespace {

namespace fs = std::filesystem;
using sdgen::fuzz::FuzzTarget;

bool replay(const FuzzTarget& target, const fs::path& path) {
  std::printf("%s: %s\n", target.name.c_str(), path.c_str());
  std::fflush(stdout);  // a crash leaves the name of what it crashed on
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  try {
    sdgen::fuzz::run_target(target, bytes);
    return true;
  } catch (const std::exception& error) {
    std::printf("  threw what is no sdgen::Error: %.300s\n", error.what());
    return false;
  }
}

bool replay_all(const FuzzTarget& target, const fs::path& path) {
  if (!fs::is_directory(path)) return !fs::exists(path) || replay(target, path);
  bool is_good = true;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_regular_file()) is_good = replay(target, entry.path()) && is_good;
  return is_good;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string name = count > 1 ? arguments[1] : "list";
  bool is_good = true, is_known = false;
  for (const FuzzTarget& target : sdgen::fuzz::targets()) {
    if (name == "list") std::puts(target.name.c_str());
    is_known = is_known || name == "list" || name == "all" || name == target.name;
    for (int i = 2; i < count; ++i) {
      if (name == "all") is_good = replay_all(target, fs::path(arguments[i]) / target.name) && is_good;
      if (name == target.name) is_good = replay_all(target, arguments[i]) && is_good;
    }
  }
  if (!is_known) std::fprintf(stderr, "no target '%s'; known: those that 'list' prints\n", name.c_str());
  return !is_known ? 2 : is_good ? 0 : 1;
}
