// The built binary where the system gives it too little.
#include "cli/binary.h"

namespace sdgen::cli {
namespace {

// sd-gen under `limits`, a list of shell commands.
ProcessResult limited(const std::string& limits, const std::vector<std::string>& arguments,
                      const fs::path& folder) {
  std::vector<std::string> command = {"sh", "-c", limits + "; exec \"$0\" \"$@\"", SDGEN_BINARY};
  command.insert(command.end(), arguments.begin(), arguments.end());
  ProcessOptions options;
  options.folder = folder.string();
  return testing::run_process(command, options);
}

class BinaryMemory : public Binary, public ::testing::WithParamInterface<int> {};  // MB

TEST_P(BinaryMemory, RunsOutWithOneLine) {
  const std::string limit = "ulimit -c 0; ulimit -v " + std::to_string(GetParam() * 1000);
  const ProcessResult result = limited(limit,
                                       {"-p", "a cat", "--model", kModel, "--width", "16384", "--height",
                                        "16384", "--steps", "1", "--threads", "1"},
                                       folder());
  expect_one_line_error(result, 1, "out of memory");
  EXPECT_EQ(result.err.find("enforce"), std::string::npos) << result.err;
}

INSTANTIATE_TEST_SUITE_P(Limits, BinaryMemory,
                         ::testing::Values(100, 200, 300, 350, 400, 420, 450, 500, 700, 1000, 3000));

}  // namespace
}  // namespace sdgen::cli
