// Linux's control groups, by which containers and services are held to a part of a machine.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace sdgen {

// Where a group's limits stand.
struct ControlGroup {
  std::filesystem::path folder;
  bool is_v2 = false;  // its files have version 2's names
};

// The process's group of `controller` ("memory", "cpu") and those above it, each of which may have limits;
// the folders need not be there. `root`: where /proc and /sys stand, for tests.
std::vector<ControlGroup> control_groups(std::string_view controller,
                                         const std::filesystem::path& root = "/");

}  // namespace sdgen
