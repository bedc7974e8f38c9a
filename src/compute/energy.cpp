// Linux's power capping framework: Documentation/power/powercap/powercap.rst.
#include <fstream>
#include <string>
#include <system_error>

#include "sdgen/measure.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::uint64_t number = 0;
  if (std::ifstream(path) >> number) return number;
  return {};
}

// intel-rapl:0 named package-0; not its parts intel-rapl:0:0 (core, dram), nor psys, which holds them all.
bool is_package(const fs::path& folder) {
  const std::string zone = folder.filename();
  std::string name;
  return zone.starts_with("intel-rapl:") && zone.find(':') == zone.rfind(':') &&
         std::ifstream(folder / "name") >> name && name.starts_with("package");
}

}  // namespace

EnergyMeter::EnergyMeter(const fs::path& root) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / "sys/class/powercap", error))
    if (is_package(entry.path())) counters_.push_back({entry.path(), number_in(entry.path() / "energy_uj")});
}

std::optional<double> EnergyMeter::joules() const {
  if (counters_.empty()) return {};
  double sum = 0.0;
  for (const Counter& counter : counters_) {
    const auto now = number_in(counter.folder / "energy_uj");
    if (!now || !counter.begin_microjoules) return {};
    std::uint64_t used = *now - *counter.begin_microjoules;
    if (*now < *counter.begin_microjoules) {
      const auto range = number_in(counter.folder / "max_energy_range_uj");
      if (!range || *range < *counter.begin_microjoules) return {};
      used = *range - *counter.begin_microjoules + *now;
    }
    sum += 1e-6 * static_cast<double>(used);
  }
  return sum;
}

}  // namespace sdgen
