#include "base/cpu_limit.h"

#include <algorithm>
#include <fstream>

#include "base/control_groups.h"

namespace sdgen {
namespace {

constexpr double kMaxCpus = 1e6;

// Microseconds of CPU time in each period; nothing for "max", -1 and no file.
std::optional<double> cpus_of(const ControlGroup& group) {
  double quota = 0, period = 0;
  bool is_told = false;
  if (group.is_v2) {
    is_told = static_cast<bool>(std::ifstream(group.folder / "cpu.max") >> quota >> period);
  } else {
    is_told = std::ifstream(group.folder / "cpu.cfs_quota_us") >> quota &&
              std::ifstream(group.folder / "cpu.cfs_period_us") >> period;
  }
  if (!is_told || quota <= 0 || period <= 0 || quota / period > kMaxCpus) return {};
  return quota / period;
}

}  // namespace

std::optional<int> cpu_limit(const std::filesystem::path& root) {
  std::optional<int> limit;
  for (const ControlGroup& group : control_groups("cpu", root)) {
    const std::optional<double> cpus = cpus_of(group);
    if (!cpus) continue;
    const int whole = std::max(1, static_cast<int>(*cpus) + (*cpus > static_cast<int>(*cpus) ? 1 : 0));
    limit = std::min(limit.value_or(whole), whole);
  }
  return limit;
}

}  // namespace sdgen
