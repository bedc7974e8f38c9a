#include "cli/commands/bench_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sdgen::cli {
namespace {

BenchReport report_of_two_runs() {
  RunTimes one;
  for (const char* component : {"text_encoder", "unet", "vae"})
    add_event(one, {"load", component, 0.25, 100});
  add_event(one, {"text_encode", "", 0.5, 100});
  add_event(one, {"text_encode", "", 0.5, 100});
  add_event(one, {"denoise_step", "", 1.0, 200});
  add_event(one, {"denoise_step", "", 3.0, 300});
  add_event(one, {"decode", "", 2.0, 200});
  one.total = 6.0;
  RunTimes two = one;
  two.total = 10.0;
  BenchReport report;
  report.model.name = "pictograms";
  report.batch_size = 2;
  report.versions = {{"sd-gen", "1"}};
  add_times(report, {one, two});
  return report;
}

TEST(Bench, StagesAreSummedARunAndStepsCountedSingly) {
  const BenchReport report = report_of_two_runs();
  ASSERT_EQ(report.stages.size(), 5u);
  EXPECT_EQ(report.stages[0].second.median, 0.75);
  EXPECT_EQ(report.stages[1].second.median, 1.0);
  EXPECT_EQ(report.stages[2].second.n, 4u);
  EXPECT_EQ(report.stages[2].second.median, 2.0);
  EXPECT_EQ(report.stages[4].second.max, 10.0);
  EXPECT_EQ(report.pictures_per_minute, 15.0);
  EXPECT_EQ(report.peak_memory_bytes, 300u);
}

TEST(BenchJson, HasTheDocumentedKeys) {
  const std::string text = bench_json(report_of_two_runs());
  EXPECT_EQ(text.back(), '\n');
  const auto json = nlohmann::ordered_json::parse(text);
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"model", "device", "dtype", "quantize", "threads", "width",
                                            "height", "batch_size", "steps", "sampler", "guidance_scale",
                                            "stages", "runs", "pictures_per_minute", "peak_memory_bytes",
                                            "joules_per_picture", "peak_gflops", "versions"}));
  EXPECT_EQ(json["stages"]["total"],
            nlohmann::ordered_json::parse(R"({"median_s":8.0,"min_s":6.0,"max_s":10.0,"n":2})"));
  ASSERT_EQ(json["runs"].size(), 2u);
  EXPECT_EQ(json["runs"][1],
            nlohmann::ordered_json::parse(R"({"load_s":0.75,"text_encode_s":1.0,"denoise_steps_s":[1.0,3.0],)"
                                          R"("decode_s":2.0,"total_s":10.0})"));
  EXPECT_EQ(json["versions"]["sd-gen"], "1");
}

// Two steps and a decode, 4 GFLOP the step, on a machine of 10 GFLOP/s.
BenchReport profiled_report() {
  BenchReport report = report_of_two_runs();
  StageEvent step{"denoise_step", "", 2.0, 0, {{"linear", 3, 1.5, 4.0}, {"aten::cat", 1, 0.25, 0.0}}};
  StageEvent other_step = step;
  other_step.seconds = 4.0;
  other_step.operators[0] = {"linear", 1, 0.5, 4.0};
  report.profiles = stage_profiles({step, other_step, {"decode", "", 1.0, 0, {{"conv 3x3", 2, 1.0, 5.0}}}});
  report.peak_gflops = 10.0;
  return report;
}

TEST(StageProfiles, AreMeansOverTheStagesEventsAndLeaveNothingOut) {
  const std::vector<StageProfile> profiles = profiled_report().profiles;
  ASSERT_EQ(profiles.size(), 2u);
  EXPECT_EQ(profiles[0].stage, "denoise_step");
  EXPECT_EQ(profiles[0].n, 2u);
  EXPECT_EQ(profiles[0].seconds, 3.0);
  EXPECT_EQ(profiles[0].gflop, 4.0);
  ASSERT_EQ(profiles[0].operators.size(), 3u);
  EXPECT_EQ(profiles[0].operators[0].name, "linear");
  EXPECT_EQ(profiles[0].operators[0].calls, 2.0);
  EXPECT_EQ(profiles[0].operators[0].seconds, 1.0);
  EXPECT_EQ(profiles[0].operators[2].name, "other");
  EXPECT_EQ(profiles[0].operators[2].seconds, 1.75);
}

TEST(BenchJson, TellsWorkAndItsPartOfThePeak) {
  const auto json = nlohmann::json::parse(bench_json(profiled_report()));
  EXPECT_EQ(json["peak_gflops"], 10.0);
  EXPECT_EQ(json["stages"]["denoise_step"]["gflop"], 4.0);
  EXPECT_EQ(json["stages"]["denoise_step"]["of_peak"], 0.2) << "4 GFLOP in the median's 2 s";
  EXPECT_FALSE(json["stages"]["total"].contains("of_peak"));
  EXPECT_EQ(json["operators"]["decode"][0],
            nlohmann::json::parse(
                R"({"name":"conv 3x3","calls":2.0,"seconds":1.0,"share":1.0,"gflop":5.0,"of_peak":0.5})"));
}

TEST(BenchJson, JoulesAreAPicturesAndKnownOnlyIfEveryRunTellsThem) {
  RunTimes run;
  BenchReport report;
  report.batch_size = 2;
  run.joules = 30.0;
  add_times(report, {run, run});
  EXPECT_EQ(report.joules_per_picture, 15.0);
  BenchReport unknown;
  add_times(unknown, {run, RunTimes{}});
  EXPECT_TRUE(nlohmann::json::parse(bench_json(unknown))["joules_per_picture"].is_null());
}

TEST(BenchText, ShowsOperatorsRatesAndRatios) {
  BenchReport report = profiled_report();
  report.comparison = Comparison{"old.json", {{"decode", 0.5}, {"pictures_per_minute", 1.25}}, {}};
  const std::string text = bench_text(report);
  for (const char* part : {"denoise_step by operator", "linear", "aten::cat", "other", "20%", "0.500",
                           "against old.json, pictures a minute 1.250", "peak: 10.0 GFLOP/s"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(SweepText, IsARowACombinationWithoutEmptyColumns) {
  BenchReport one = report_of_two_runs(), two = one;
  one.swept = {{"steps", "10"}};
  two.swept = {{"steps", "20"}};
  const std::string text = sweep_text({one, two});
  EXPECT_NE(text.find("steps  step s  decode s"), std::string::npos) << text;
  EXPECT_NE(text.find("\n20 "), std::string::npos) << text;
  EXPECT_EQ(text.find("J/picture"), std::string::npos) << text;
}

TEST(BenchText, NamesEveryStage) {
  const std::string text = bench_text(report_of_two_runs());
  for (const char* part :
       {"load", "text_encode", "denoise_step", "decode", "total", "15.00 pictures a minute"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace sdgen::cli
