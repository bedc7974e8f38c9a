#include "fuzz/targets.h"

#include <algorithm>
#include <fstream>

#include "sdgen/error.h"
#include "support/safetensors_file.h"

namespace sdgen::fuzz {

namespace fs = std::filesystem;

const std::vector<FuzzTarget>& targets() {
  static const std::vector<FuzzTarget> all = [] {
    std::vector<FuzzTarget> joined;
    for (const auto& some :
         {weights_targets(), picture_targets(), text_targets(), config_targets(), command_line_targets()})
      joined.insert(joined.end(), some.begin(), some.end());
    return joined;
  }();
  return all;
}

const FuzzTarget* find_target(std::string_view name) {
  const auto found = std::find_if(targets().begin(), targets().end(),
                                  [&](const auto& target) { return target.name == name; });
  return found == targets().end() ? nullptr : &*found;
}

void run_target(const FuzzTarget& target, std::string_view bytes) {
  try {
    target.parse(bytes);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kWorking) throw;  // bytes are no reason
  }
}

const fs::path& scratch_folder() {
  static const testing::TemporaryFolder folder;
  return folder.path();
}

fs::path scratch_file(const std::string& name, std::string_view bytes) {
  const fs::path path = scratch_folder() / name;
  static std::string last_parent;
  if (const std::string parent = path.parent_path(); parent != last_parent) {
    fs::create_directories(parent);
    last_parent = parent;
  }
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

}  // namespace sdgen::fuzz
