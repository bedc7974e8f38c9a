// What a Generator keeps between runs, and several of them side by side.
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "sdgen/generator.h"
#include "support/golden.h"

namespace sdgen {
namespace {

const Request kRequest{
    .prompt = "a cat", .steps = 3, .guidance_scale = 5.0, .seed = 7, .width = 32, .height = 32};

// What one run draws and how often each stage was told.
struct Told {
  std::vector<std::uint8_t> rgb;
  std::map<std::string, int> stages;
  std::vector<std::string> warnings;
};

Told run(Generator& generator, const Request& request = kRequest, const RunOptions& options = {}) {
  Told told;
  Observer observer;
  observer.on_picture = [&](const Picture& picture) { told.rgb = picture.image.rgb; };
  observer.on_stage = [&](const StageEvent& event) { ++told.stages[event.stage]; };
  observer.on_warning = [&](const std::string& warning) { told.warnings.push_back(warning); };
  observer.on_preview = [](const Preview&) {};
  generator.run({request}, options, observer);
  return told;
}

Generator open(bool keep_loaded, const std::string& pipeline = "sd15-tiny", int threads = 1) {
  return {testing::golden_path("pipelines/" + pipeline),
          {.device = Device::kCpu, .dtype = DType::kFloat32, .threads = threads, .keep_loaded = keep_loaded}};
}

TEST(Session, ASecondRunLoadsAndEncodesNothingWhereTheFirstIsKept) {
  Generator keeping = open(true), plain = open(false);
  const RunOptions previews{.preview_every = 1};
  const Told first = run(keeping, kRequest, previews), second = run(keeping, kRequest, previews);
  const Told plain_first = run(plain, kRequest, previews), plain_second = run(plain, kRequest, previews);
  EXPECT_GT(first.stages.at("load"), 0);
  EXPECT_EQ(first.stages.at("text_encode"), 2);
  EXPECT_FALSE(second.stages.contains("load"));
  EXPECT_FALSE(second.stages.contains("text_encode"));
  EXPECT_EQ(plain_second.stages.at("load"), plain_first.stages.at("load"));
  EXPECT_EQ(second.rgb, first.rgb);
  EXPECT_EQ(plain_second.rgb, first.rgb);
}

TEST(Session, OnlyTheWordsThatAreNewAreEncoded) {
  Generator keeping = open(true);
  run(keeping);
  Request other = kRequest;
  other.prompt = "a dog";
  EXPECT_EQ(run(keeping, other).stages.at("text_encode"), 1);  // the negative prompt is known
  EXPECT_EQ(run(keeping, other).rgb, [&] {
    auto plain = open(false);
    return run(plain, other).rgb;
  }());
}

TEST(Session, WhatAKeptTextWarnsOfIsToldInEveryRun) {
  Generator keeping = open(true);
  Request longer = kRequest;
  for (int i = 0; i < 90; ++i) longer.prompt += " cat";
  const Told first = run(keeping, longer), second = run(keeping, longer);
  ASSERT_EQ(first.warnings.size(), 1u);
  EXPECT_EQ(second.warnings, first.warnings);
}

TEST(Session, TwoGeneratorsWithOtherSettingsDrawSideBySide) {
  std::vector<std::uint8_t> expected[2], drawn[2];
  const std::string pipelines[2] = {"sd15-tiny", "variant-tiny"};
  for (int i = 0; i < 2; ++i) {
    Generator alone = open(false, pipelines[i], i + 1);
    expected[i] = run(alone).rgb;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&, i] {
      Generator generator = open(i == 0, pipelines[i], i + 1);
      for (int k = 0; k < 3; ++k) drawn[i] = run(generator).rgb;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(drawn[0], expected[0]);
  EXPECT_EQ(drawn[1], expected[1]);
}

}  // namespace
}  // namespace sdgen
