#include "cli/commands/compare.h"

#include "cli/cli_errors.h"

namespace sdgen::cli {
namespace {

BenchObject result(double step_seconds, double pictures_a_minute) {
  BenchObject json = {{"model", "pictograms"}, {"dtype", "float32"}, {"width", 64}};
  for (const char* stage : {"load", "text_encode", "denoise_step", "decode", "total"})
    json["stages"][stage]["median_s"] = 1.0;
  json["stages"]["denoise_step"]["median_s"] = step_seconds;
  json["pictures_per_minute"] = pictures_a_minute;
  json["peak_memory_bytes"] = 1000;
  return json;
}

TEST(Compare, RatiosAreNewByOld) {
  BenchObject now = result(3.0, 10.0);
  now["peak_memory_bytes"] = 500;
  const Comparison comparison = compare("old.json", result(2.0, 20.0), now);
  EXPECT_EQ(comparison.ratio("denoise_step"), 1.5);
  EXPECT_EQ(comparison.ratio("decode"), 1.0);
  EXPECT_EQ(comparison.ratio("pictures_per_minute"), 0.5);
  EXPECT_EQ(comparison.ratio("peak_memory_bytes"), 0.5);
  EXPECT_EQ(comparison.ratio("joules_per_picture"), std::nullopt) << "neither tells";
  EXPECT_TRUE(comparison.differences.empty());
}

TEST(Compare, WhatWasNothingHasNoRatio) {
  EXPECT_EQ(compare("f", result(0.0, 1.0), result(1.0, 1.0)).ratio("denoise_step"), std::nullopt);
}

TEST(Compare, NamesSettingsThatDiffer) {
  BenchObject now = result(1.0, 1.0);
  now["dtype"] = "bfloat16";
  now["width"] = 96;
  now["steps"] = 30;  // older results do not tell
  EXPECT_EQ(compare("f", result(1.0, 1.0), now).differences,
            (std::vector<std::string>{"dtype is bfloat16, was float32", "width is 96, was 64"}));
}

TEST(Compare, ACombinationMeetsItsOwn) {
  std::vector<BenchObject> old = {result(1.0, 1.0), result(2.0, 2.0)};
  old[0]["sweep"] = {{"steps", 10}, {"threads", 1}};
  old[1]["sweep"] = {{"steps", 20}, {"threads", 1}};
  BenchObject now = result(1.0, 1.0);
  now["sweep"] = {{"threads", 1}, {"steps", 20}};
  EXPECT_EQ(find_counterpart(old, now), &old[1]);
  now["sweep"] = {{"threads", 2}, {"steps", 20}};
  EXPECT_EQ(find_counterpart(old, now), nullptr);
  old.pop_back();
  EXPECT_EQ(find_counterpart(old, now), &old[0]) << "the only one is a baseline";
}

class ReadResults : public ::testing::Test {
 protected:
  std::string refusal(const std::string& text) const {
    folder_.write("old.json", text);
    return error_of(ErrorKind::kInput, [] { read_results("old.json"); });
  }
  ScratchFolder folder_;
};

TEST_F(ReadResults, TakesOneResultInAnyLayoutOrOneALine) {
  folder_.write("old.json", result(1.0, 1.0).dump(2));
  EXPECT_EQ(read_results("old.json").size(), 1u);
  folder_.write("old.json", result(1.0, 1.0).dump() + "\n" + result(2.0, 2.0).dump() + "\n\n");
  EXPECT_EQ(read_results("old.json").size(), 2u);
}

TEST_F(ReadResults, RefusesAnythingElseByFileAndKey) {
  EXPECT_TRUE(contains(error_of(ErrorKind::kInput, [] { read_results("gone.json"); }), "gone.json: cannot"));
  EXPECT_TRUE(contains(error_of(ErrorKind::kInput, [] { read_results("."); }), ".: cannot be read"));
  EXPECT_TRUE(contains(refusal(""), "old.json: is empty"));
  EXPECT_TRUE(contains(refusal("{\"model\": "), "old.json:1: is no JSON"));
  EXPECT_TRUE(contains(refusal("[1]"), "old.json: is no JSON object"));
  EXPECT_TRUE(contains(refusal("{}"), "old.json: key 'stages.load.median_s' is missing"));
  EXPECT_TRUE(contains(refusal("{\"stages\": 3}"), "stages.load.median_s"));
  BenchObject broken = result(1.0, 1.0);
  broken["stages"]["decode"]["median_s"] = "fast";
  EXPECT_TRUE(contains(refusal(broken.dump()), "'stages.decode.median_s' is missing or no number"));
  EXPECT_TRUE(contains(refusal(result(1.0, 1.0).dump() + "\n" + broken.dump()), "old.json:2: key"));
}

}  // namespace
}  // namespace sdgen::cli
