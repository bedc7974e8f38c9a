#include "base/control_groups.h"

#include <fstream>
#include <string>

namespace sdgen {
namespace {

namespace fs = std::filesystem;

// Whether a list such as "cpu,cpuacct" names it.
bool names(std::string_view list, std::string_view controller) {
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    if (name == controller) return true;
    list.remove_prefix(std::min(list.size(), name.size() + 1));
  }
  return false;
}

// Version 1's controllers have a tree each, or one under both names with a link for each.
fs::path tree_of(std::string_view controller, const std::string& list, const fs::path& all) {
  std::error_code ignored;
  return fs::exists(all / controller, ignored) ? all / controller : all / list;
}

}  // namespace

std::vector<ControlGroup> control_groups(std::string_view controller, const fs::path& root) {
  std::vector<ControlGroup> found;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:path
    const std::size_t name = line.find(':') + 1, path = line.find(':', name) + 1;
    if (name == 0 || path == 0) continue;
    const bool is_v2 = line.starts_with("0::");
    const std::string list = line.substr(name, path - 1 - name);
    if (!is_v2 && !names(list, controller)) continue;
    const fs::path all = root / "sys/fs/cgroup", top = is_v2 ? all : tree_of(controller, list, all);
    for (fs::path group = fs::path(line.substr(path)).relative_path();; group = group.parent_path()) {
      found.push_back({top / group, is_v2});
      if (group.empty()) break;
    }
  }
  return found;
}

}  // namespace sdgen
