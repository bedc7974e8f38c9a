// sd-gen bench as users meet it.
#include "cli/binary.h"

namespace sdgen::cli {
namespace {

class BinaryBench : public Binary {
 protected:
  ProcessResult bench(const std::vector<std::string>& further) const {
    std::vector<std::string> arguments = {"bench",    "-m",       kModel,    "--width", "32",
                                          "--height", "32",       "--steps", "2",       "--repetitions",
                                          "1",        "--warmup", "0",       "--quiet"};
    arguments.insert(arguments.end(), further.begin(), further.end());
    return sd_gen(arguments);
  }
};

TEST_F(BinaryBench, OperatorsAddUpToTheirStage) {
  const ProcessResult result = bench({"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_GT(json["peak_gflops"].get<double>(), 0);
  EXPECT_TRUE(json.contains("joules_per_picture"));
  for (const char* stage : {"denoise_step", "decode"}) {
    double share = 0, gflop = 0;
    for (const Json& row : json["operators"].at(stage)) {
      share += row.at("share").get<double>();
      gflop += row.value("gflop", 0.0);
    }
    EXPECT_NEAR(share, 1.0, 0.02) << stage;
    EXPECT_NEAR(gflop, json["stages"][stage]["gflop"].get<double>(), 1e-5) << stage;
    EXPECT_GT(json["stages"][stage]["of_peak"].get<double>(), 0) << stage;
  }
}

TEST_F(BinaryBench, WithoutAProfileNothingIsCounted) {
  const ProcessResult result = bench({"--json", "--no-profile"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_TRUE(json["peak_gflops"].is_null());
  EXPECT_FALSE(json.contains("operators"));
  EXPECT_FALSE(json["stages"]["decode"].contains("gflop"));
}

TEST_F(BinaryBench, ASweepIsAnObjectALineOrARowEach) {
  const std::vector<std::string> sweep = {"--no-profile", "--sweep", "steps=1,3", "--sweep", "size=32,64x32"};
  std::vector<std::string> as_json = sweep;
  as_json.emplace_back("--json");
  const ProcessResult json = bench(as_json);
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const std::vector<std::string> lines = lines_of(json.out);
  ASSERT_EQ(lines.size(), 4u);
  const Json last = Json::parse(lines[3]);
  EXPECT_EQ(last["sweep"], Json::parse(R"({"steps": 3, "size": "64x32"})"));
  EXPECT_EQ(last["width"], 64);
  EXPECT_EQ(last["stages"]["denoise_step"]["n"], 3);
  testing::write_bytes(folder() / "_old.json", json.out);
  std::vector<std::string> compared = sweep;
  compared.insert(compared.end(), {"--compare", "_old.json"});
  const ProcessResult text = bench(compared);
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("total new/old"), std::string::npos) << text.out;
  EXPECT_EQ(lines_of(text.out).size(), 7u) << text.out;
}

TEST_F(BinaryBench, AWrongSweepIsRefusedBeforeAnythingRuns) {
  expect_one_line_error(bench({"--sweep", "stepz=1"}), 2, "did you mean steps?");
  expect_one_line_error(bench({"--sweep", "steps=1,zero"}), 2, "--sweep steps");
  expect_one_line_error(bench({"--json", "--sweep", "steps=1,0"}), 2, "steps");
  expect_one_line_error(bench({"--json", "--sweep", "sampler=ddim,dim"}), 2, "did you mean ddim?");
  expect_one_line_error(bench({"--json", "--sweep", "size=32,33"}), 2, "33");
}

TEST_F(BinaryBench, RatiosAreTakenAgainstAnEarlierResult) {
  const ProcessResult old = bench({"--json", "--no-profile", "--dtype", "float32"});
  ASSERT_EQ(old.exit_code, 0) << old.err;
  Json slower = Json::parse(old.out);
  for (Json& stage : slower["stages"]) stage["median_s"] = 1e6;
  slower["dtype"] = "bfloat16";
  testing::write_bytes(folder() / "_old.json", slower.dump(1));
  std::vector<std::string> arguments = {"--json",  "--no-profile", "--compare",       "_old.json",
                                        "--dtype", "float32",      "--log-level=warn"};
  const ProcessResult result = bench(arguments);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json compared = Json::parse(result.out)["compared_with"];
  EXPECT_EQ(compared["file"], "_old.json");
  EXPECT_LT(compared["ratios"]["total"].get<double>(), 1e-3);
  EXPECT_GT(compared["ratios"]["peak_memory_bytes"].get<double>(), 0.5);
  EXPECT_EQ(compared["differences"], Json::parse(R"(["dtype is float32, was bfloat16"])"));
}

TEST_F(BinaryBench, WhatIsNoEarlierResultExitsWithThree) {
  expect_one_line_error(bench({"--compare", "gone.json"}), 3, "gone.json");
  testing::write_bytes(folder() / "_old.json", "{\"stages\": {}}");
  expect_one_line_error(bench({"--compare", "_old.json"}), 3, "_old.json: key 'stages.load.median_s'");
  testing::write_bytes(folder() / "_old.json", "not JSON");
  expect_one_line_error(bench({"--compare", "_old.json"}), 3, "_old.json:1: is no JSON");
}

}  // namespace
}  // namespace sdgen::cli
