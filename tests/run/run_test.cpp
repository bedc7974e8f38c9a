// The run as a whole: order, batches, interruption, failures, stages.
#include <gtest/gtest.h>

#include <map>

#include "sdgen/generator.h"
#include "support/golden.h"

namespace sdgen {
namespace {

class RunTest : public ::testing::Test {
 protected:
  Generator generator_{testing::golden_path("pipelines/variant-tiny"),
                       {.device = Device::kCpu, .dtype = DType::kFloat32, .threads = 1}};
  std::vector<Picture> pictures_;
  Observer observer_{.on_picture = [this](const Picture& picture) { pictures_.push_back(picture); }};

  static Request request(const std::string& prompt, std::uint64_t seed, int count = 1) {
    return {.prompt = prompt, .steps = 3, .seed = seed, .width = 32, .height = 32, .count = count};
  }
};

int largest_difference(const Image& a, const Image& b) {
  if (a.rgb.size() != b.rgb.size()) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i)
    largest = std::max(largest, std::abs(int{a.rgb[i]} - int{b.rgb[i]}));
  return largest;
}

TEST_F(RunTest, ThePictureOfASeedDoesNotDependOnItsCompany) {
  // Position, batch and thread count change float rounding only; 1/255 is the bound of the design for that.
  generator_.run({request("a cat", 7)}, {}, observer_);
  const Image alone = pictures_.at(0).image;
  for (const int threads : {1, 2}) {
    for (const int batch_size : {1, 2, 4}) {
      SCOPED_TRACE(concat("threads ", threads, " batch size ", batch_size));
      Generator generator(testing::golden_path("pipelines/variant-tiny"),
                          {.device = Device::kCpu, .dtype = DType::kFloat32, .threads = threads});
      pictures_.clear();
      generator.run({request("a dog", 3), request("a cat", 5, 3), request("two", 9)},
                    {.batch_size = batch_size}, observer_);
      ASSERT_EQ(pictures_.size(), 5u);
      EXPECT_EQ(pictures_[3].seed, 7u);
      EXPECT_LE(largest_difference(pictures_[3].image, alone), 1);
      EXPECT_GT(largest_difference(pictures_[2].image, alone), 8) << "another seed must give another picture";
    }
  }
}

TEST_F(RunTest, PicturesComeInOrderWithTheirSeeds) {
  generator_.run({request("a", 10, 2), request("b", 20, 3)}, {.batch_size = 4}, observer_);
  std::vector<std::tuple<std::size_t, int, std::uint64_t>> order;
  for (const Picture& picture : pictures_)
    order.emplace_back(picture.request_index, picture.index, picture.seed);
  EXPECT_EQ(order, (decltype(order){{0, 0, 10}, {0, 1, 11}, {1, 0, 20}, {1, 1, 21}, {1, 2, 22}}));
}

TEST_F(RunTest, DifferentSizesAndStepsShareARunButNoBatch) {
  Request wide = request("a", 1);
  wide.width = 64;
  Request longer = request("a", 1);
  longer.steps = 5;
  generator_.run({request("a", 1), wide, longer}, {.batch_size = 8}, observer_);
  ASSERT_EQ(pictures_.size(), 3u);
  EXPECT_EQ(pictures_[1].image.width, 64);
  EXPECT_EQ(pictures_[1].image.height, 32);
}

TEST_F(RunTest, AWrongRequestAmongManyDrawsNothing) {
  Request wrong = request("b", 1);
  wrong.width = 33;
  EXPECT_THROW(generator_.run({request("a", 1), wrong}, {}, observer_), Error);
  EXPECT_TRUE(pictures_.empty());
}

TEST_F(RunTest, StoppingKeepsWhatIsFinished) {
  int steps = 0;
  observer_.on_step = [&](const StepProgress&) { ++steps; };
  observer_.should_stop = [&] { return steps >= 4; };  // in the middle of the second picture
  EXPECT_FALSE(generator_.run({request("a", 1, 3)}, {}, observer_));
  EXPECT_EQ(pictures_.size(), 1u);
  EXPECT_EQ(steps, 4);
}

TEST_F(RunTest, StagesAndProgressAddUp) {
  std::map<std::string, int> stages;
  std::vector<std::string> loaded;
  observer_.on_stage = [&](const StageEvent& event) {
    ++stages[event.stage];
    if (event.stage == "load") loaded.push_back(event.detail);
    EXPECT_GE(event.seconds, 0.0);
    EXPECT_GT(event.peak_memory_bytes, 0u);
  };
  std::size_t last_done = 0, total = 0;
  observer_.on_step = [&](const StepProgress& progress) {
    EXPECT_GT(progress.done, last_done);
    last_done = progress.done;
    total = progress.total;
  };
  generator_.run({request("a", 1, 2), request("b", 1)}, {}, observer_);
  EXPECT_EQ(last_done, 9u);
  EXPECT_EQ(total, 9u);
  EXPECT_EQ(loaded, (std::vector<std::string>{"text_encoder", "unet", "vae"}))
      << "each component is loaded once a run";
  EXPECT_EQ(stages["text_encode"], 3) << "a, b and the empty negative prompt";
  EXPECT_EQ(stages["denoise_step"], 9);
  EXPECT_EQ(stages["decode"], 3);
}

TEST_F(RunTest, OnePromptForManyPicturesIsEncodedOnce) {
  int encoded = 0;
  observer_.on_stage = [&](const StageEvent& event) {
    encoded += event.stage == "text_encode" || event.detail == "text_encoder";
  };
  Request many = request("a", 1, 600);
  many.steps = 1;
  many.width = many.height = 8;
  generator_.run({many}, {.batch_size = 64}, observer_);
  EXPECT_EQ(pictures_.size(), 600u);
  EXPECT_EQ(encoded, 3) << "one load, the prompt, the empty negative prompt";
}

TEST_F(RunTest, AnInterruptionIsHeardInEveryStageBetweenItsLayers) {
  for (const std::string stage : {"load", "text_encode", "denoise_step", "decode"}) {
    SCOPED_TRACE(stage);
    std::uint64_t done = 0;
    observer_.on_work = [&](const WorkProgress& work) { done = work.stage == stage ? work.done : 0; };
    observer_.should_stop = [&] { return done >= 2; };
    EXPECT_FALSE(generator_.run({request("a", 1, 2)}, {}, observer_));
    EXPECT_TRUE(pictures_.empty());
    EXPECT_GE(done, 2u);
    if (stage != "load") {
      EXPECT_EQ(done, 2u) << "no layer after it";
    }
  }
}

TEST_F(RunTest, WorkInsideAStepIsTold) {
  std::vector<std::string> stages;
  std::map<std::string, WorkProgress> last;
  observer_.on_work = [&](const WorkProgress& work) {
    const std::string name = work.stage + (work.detail.empty() ? "" : " " + work.detail);
    if (stages.empty() || stages.back() != name) stages.push_back(name);
    if (work.stage == "denoise_step" && work.done == 0 && work.run.step == 0) {
      EXPECT_EQ(work.run.steps, 3);
      EXPECT_EQ(work.run.total, 3u);
      EXPECT_EQ(work.pictures, 1u);
      EXPECT_GT(work.total, 10u) << "the layers of the network are known from loading it";
    }
    if (work.stage == "denoise_step" && work.run.step == 1 && work.done == 0) {
      EXPECT_EQ(work.total, last["denoise_step"].done);
    }
    last[name] = work;
  };
  generator_.run({request("a", 1)}, {}, observer_);
  EXPECT_EQ(stages, (std::vector<std::string>{"load text_encoder", "text_encode", "load unet", "denoise_step",
                                              "decode", "load vae", "decode"}));
  EXPECT_GT(last["load unet"].total, 0u);
  EXPECT_EQ(last["load unet"].done, last["load unet"].total);
}

// Whoever asks to stop and then changes its mind has stopped all the same: what was left out is missing.
class StopOnce : public RunTest, public ::testing::WithParamInterface<int> {};

TEST_P(StopOnce, AnAnswerThatChangesIsTheFirst) {
  int asked = 0;
  observer_.should_stop = [&] { return asked++ == GetParam(); };
  EXPECT_FALSE(generator_.run({request("a", 1, 2), request("b", 1)}, {}, observer_));
  observer_.should_stop = {};
  pictures_.clear();
  EXPECT_TRUE(generator_.run({request("a", 1)}, {}, observer_)) << "the next run knows nothing of it";
  EXPECT_EQ(pictures_.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Questions, StopOnce, ::testing::Values(0, 1, 2, 3, 5));

TEST_F(RunTest, WordsThatDoNotFitAreNamed) {
  std::string warning;
  observer_.on_warning = [&](const std::string& text) { warning = text; };
  std::string prompt = "a";
  for (int i = 0; i < 60; ++i) prompt += " cat";
  generator_.run({request(prompt + " zebra", 1)}, {}, observer_);
  EXPECT_NE(warning.find("zebra"), std::string::npos) << warning;
  warning.clear();
  generator_.run({request("a cat", 1)}, {}, observer_);
  EXPECT_EQ(warning, "");
}

TEST_F(RunTest, ParametersTextIsWhatViewersParse) {
  Request request = generator_.complete({.prompt = "a cat",
                                         .negative_prompt = "blur",
                                         .steps = 5,
                                         .guidance_scale = 7.5,
                                         .sampler = "ddim",
                                         .seed = 3,
                                         .width = 64,
                                         .height = 32});
  ModelInfo info = generator_.info();
  EXPECT_EQ(parameters_text(request, 4, info).substr(0, 111),
            "a cat\nNegative prompt: blur\nSteps: 5, Sampler: DDIM, CFG scale: 7.5, Seed: 4, Size: 64x32, "
            "Model: variant-tiny,");
  EXPECT_EQ(parameters_text(request, 4, info).find("Dtype"), std::string::npos);
  info.dtype = "bfloat16";
  info.quantize = "int8";
  EXPECT_NE(parameters_text(request, 4, info).find(", Dtype: bfloat16, Quantize: int8, Version"),
            std::string::npos);
  info.name = "odd, name: x";
  EXPECT_NE(parameters_text(request, 4, info).find("Model: \"odd, name: x\""), std::string::npos);
}

TEST_F(RunTest, ARandomSeedIsDrawnAndKnown) {
  const auto a = generator_.complete({.prompt = "x"}).seed;
  const auto b = generator_.complete({.prompt = "x"}).seed;
  ASSERT_TRUE(a && b);
  EXPECT_NE(*a, *b);
}

}  // namespace
}  // namespace sdgen
