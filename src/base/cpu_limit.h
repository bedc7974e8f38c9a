// How many CPUs the process is given time on.
#pragma once

#include <filesystem>
#include <optional>

namespace sdgen {

// What the control groups allow (version 2's cpu.max, version 1's cpu.cfs_quota_us), rounded up, at least 1:
// the least of the process's group and those above it. Nothing where there is no limit. `root`: where /proc
// and /sys stand, for tests.
std::optional<int> cpu_limit(const std::filesystem::path& root = "/");

}  // namespace sdgen
