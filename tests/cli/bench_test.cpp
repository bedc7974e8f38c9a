#include "cli/bench.h"

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
  report.model.name = "shapes";
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
  EXPECT_EQ(keys, (std::vector<std::string>{"model", "device", "dtype", "threads", "width", "height",
                                            "batch_size", "stages", "runs", "pictures_per_minute",
                                            "peak_memory_bytes", "versions"}));
  EXPECT_EQ(json["stages"]["total"],
            nlohmann::ordered_json::parse(R"({"median_s":8.0,"min_s":6.0,"max_s":10.0,"n":2})"));
  ASSERT_EQ(json["runs"].size(), 2u);
  EXPECT_EQ(json["runs"][1],
            nlohmann::ordered_json::parse(R"({"load_s":0.75,"text_encode_s":1.0,"denoise_steps_s":[1.0,3.0],)"
                                          R"("decode_s":2.0,"total_s":10.0})"));
  EXPECT_EQ(json["versions"]["sd-gen"], "1");
}

TEST(BenchText, NamesEveryStage) {
  const std::string text = bench_text(report_of_two_runs());
  for (const char* part :
       {"load", "text_encode", "denoise_step", "decode", "total", "15.00 pictures a minute"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace sdgen::cli
