// Memory and processor as a user meets them.
#include <regex>

#include "cli/binary.h"

namespace sdgen::cli {
namespace {

class Resources : public Binary {
 protected:
  static std::size_t warnings_of(const ProcessResult& result, const std::string& part) {
    std::size_t count = 0;
    for (const std::string& line : lines_of(result.err)) count += line.find(part) != std::string::npos;
    return count;
  }

  // The bytes that a line of --verbose tells behind `label`, in MiB.
  static double mebibytes(const ProcessResult& result, const std::string& label) {
    std::smatch found;
    const std::regex pattern(label + " ([0-9.]+) (MiB|GiB)");
    if (!std::regex_search(result.err, found, pattern)) return -1;
    return std::stod(found[1]) * (found[2] == "GiB" ? 1024 : 1);
  }
};

TEST_F(Resources, HalfPrecisionThatTheProcessorHasToConvertIsToldOnce) {
  const ProcessOptions old{.environment = {"SDGEN_CPU_LEVEL=avx2"}};
  const auto warnings = [&](const std::vector<std::string>& dtype) {
    std::vector<std::string> arguments = {"-p",  "a cat",       "--count", "2",         "--device",
                                          "cpu", "--overwrite", "-o",      "{seed}.png"};
    arguments.insert(arguments.end(), dtype.begin(), dtype.end());
    const ProcessResult result = draw(arguments, old);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return warnings_of(result, "float32 is several times faster; use --dtype float32");
  };
  EXPECT_EQ(warnings({"--dtype", "bfloat16"}), 1u);
  EXPECT_EQ(warnings({"--dtype", "float16"}), 1u);
  EXPECT_EQ(warnings({"--dtype", "float32"}), 0u);
  EXPECT_EQ(warnings({}), 0u);
}

// What the system's own libraries take differs from machine to machine.
constexpr double kOtherMachines = 24;  // MiB

TEST_F(Resources, ThePlanOfMemoryIsWhatARunTakes) {
  for (const char* const side : {"128", "384"})
    for (const auto& sparing : {std::vector<std::string>{}, {"--low-memory", "--memory-limit", "0.17"}}) {
      std::vector<std::string> arguments = {
          "-p",      "a red circle", "--seed",    "1",          "--steps",  "1",   "--dtype",   "float32",
          "--width", side,           "--height",  side,         "--device", "cpu", "--threads", "1",
          "-o",      "a.png",        "--verbose", "--overwrite"};
      arguments.insert(arguments.end(), sparing.begin(), sparing.end());
      const ProcessResult result = sd_gen(arguments);
      ASSERT_EQ(result.exit_code, 0) << result.err;
      const double plan = mebibytes(result, "plan: about"), peak = mebibytes(result, "peak memory:");
      ASSERT_GT(plan, 0);
      EXPECT_LT(peak, 1.1 * plan + kOtherMachines) << side << (sparing.empty() ? "" : " with a limit");
      if (!sparing.empty() && plan <= 0.17 * 1024) {
        EXPECT_LT(peak, 0.17 * 1024 + kOtherMachines);
      }
    }
}

TEST_F(Resources, ALimitThatCannotBeKeptIsToldOnce) {
  const ProcessResult result = draw({"-p", "a cat", "--seed", "1", "--memory-limit", "0.01", "-o", "a.png"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(warnings_of(result, "memory-limit: this run may take about "), 1u) << result.err;
  const ProcessResult enough = draw({"-p", "a cat", "--seed", "1", "--memory-limit", "2", "-o", "b.png"});
  EXPECT_EQ(warnings_of(enough, "memory-limit"), 0u) << enough.err;
}

}  // namespace
}  // namespace sdgen::cli
