// Energy counters of a made-up /sys.
#include <gtest/gtest.h>

#include "sdgen/measure.h"
#include "support/safetensors_file.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;

class Energy : public ::testing::Test {
 protected:
  void zone(const std::string& folder, const std::string& name, const std::string& microjoules) const {
    const fs::path path = folder_.path() / "sys/class/powercap" / folder;
    fs::create_directories(path);
    testing::write_bytes(path / "name", name + "\n");
    testing::write_bytes(path / "energy_uj", microjoules + "\n");
    testing::write_bytes(path / "max_energy_range_uj", "262143328850\n");
  }
  EnergyMeter meter() const { return EnergyMeter(folder_.path()); }

  testing::TemporaryFolder folder_;
};

TEST_F(Energy, IsTheSumOfThePackages) {
  zone("intel-rapl:0", "package-0", "1000000");
  zone("intel-rapl:1", "package-1", "5000000");
  const EnergyMeter energy = meter();
  zone("intel-rapl:0", "package-0", "3500000");
  zone("intel-rapl:1", "package-1", "6000000");
  EXPECT_DOUBLE_EQ(energy.joules().value(), 3.5);
}

TEST_F(Energy, LeavesOutPartsOfPackagesAndTheWholePlatform) {
  zone("intel-rapl", "", "");
  zone("intel-rapl:0", "package-0", "0");
  zone("intel-rapl:0:0", "core", "0");
  zone("intel-rapl:1", "psys", "0");
  zone("intel-rapl-mmio:0", "package-0", "0");
  const EnergyMeter energy = meter();
  zone("intel-rapl:0", "package-0", "2000000");
  zone("intel-rapl:0:0", "core", "1000000");
  zone("intel-rapl:1", "psys", "9000000");
  zone("intel-rapl-mmio:0", "package-0", "2000000");
  EXPECT_DOUBLE_EQ(energy.joules().value(), 2.0);
}

TEST_F(Energy, FollowsACounterThatWraps) {
  zone("intel-rapl:0", "package-0", "262143328000");
  const EnergyMeter energy = meter();
  zone("intel-rapl:0", "package-0", "999150");
  EXPECT_DOUBLE_EQ(energy.joules().value(), 1.0);
}

TEST_F(Energy, IsUnknownWhereNoCounterCanBeRead) {
  EXPECT_EQ(meter().joules(), std::nullopt);
  zone("intel-rapl:0", "package-0", "1000000");
  zone("intel-rapl:1", "package-1", "not for you");
  const EnergyMeter energy = meter();
  EXPECT_EQ(energy.joules(), std::nullopt) << "half of it would be wrong";
}

}  // namespace
}  // namespace sdgen
