#include "run/ranker.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "sdgen/generator.h"
#include "support/golden.h"
#include "support/pictures.h"
#include "support/safetensors_file.h"
#include "support/scale_tensor.h"

namespace sdgen {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kClip = testing::golden_path("ranker/clip");

Image picture_of(const std::string& name) {
  return read_picture(testing::golden_path("families/" + name));
}

TEST(Ranker, ScoresAreTransformersCosines) {
  const Json cases = testing::golden_json("ranker/scores.json").at("cases");
  ASSERT_GE(cases.size(), 9u);
  Ranker ranker(kClip, at::kCPU);
  EXPECT_FALSE(ranker.is_loaded());
  ranker.load();
  for (const Json& expected : cases) {
    const double score = ranker.score(expected["text"], picture_of(expected["picture"].get<std::string>()));
    EXPECT_NEAR(score, expected["score"].get<double>(), 2e-4) << expected;
  }
}

TEST(Resize, BicubicEqualsPillows) {
  const testing::GoldenTensors golden("ranker/bicubic.safetensors");
  const Image image = picture_of("start.png");
  for (const auto& [width, height] :
       {std::pair(77, 53), std::pair(40, 64), std::pair(24, 16), std::pair(160, 53), std::pair(5, 3)}) {
    const Tensor ours = testing::tensor_of({resize(image, width, height, ResizeFilter::kBicubic)})[0];
    EXPECT_TRUE(at::equal(ours, golden.at(concat(width, "x", height)))) << width << "x" << height;
  }
}

class BestOf : public ::testing::Test {
 protected:
  std::vector<Picture> drawn(Generator& generator, const Request& request, int batch_size = 1) {
    std::vector<Picture> pictures;
    generator.run({request}, {.batch_size = batch_size},
                  {.on_picture = [&](const Picture& picture) { pictures.push_back(picture); },
                   .on_failure = [&](std::size_t, int index, const Error&) { failed_.push_back(index); }});
    return pictures;
  }
  Generator generator(const fs::path& model = testing::golden_path("pipelines/sd15-tiny")) const {
    return {ModelFiles{.model = model, .ranker = kClip}, {.device = Device::kCpu, .dtype = DType::kFloat32}};
  }

  Request request_{.prompt = "a red circle", .steps = 2, .seed = 11, .width = 64, .height = 64, .count = 6};
  std::vector<int> failed_;
};

TEST_F(BestOf, KeepsTheCandidateNearestToThePrompt) {
  Generator model = generator();
  const std::vector<Picture> plain = drawn(model, request_);
  ASSERT_EQ(plain.size(), 6u);
  EXPECT_FALSE(plain[0].score);
  Ranker ranker(kClip, at::kCPU);
  ranker.load();
  std::vector<double> scores;
  for (const Picture& picture : plain) scores.push_back(ranker.score("a red circle", picture.image));
  request_.count = 2;
  request_.best_of = 3;
  for (const int batch_size : {1, 4}) {
    const std::vector<Picture> kept = drawn(model, request_, batch_size);
    ASSERT_EQ(kept.size(), 2u);
    for (std::size_t k = 0; k < 2; ++k) {
      const auto first = scores.begin() + static_cast<std::ptrdiff_t>(3 * k);
      const auto best = std::max_element(first, first + 3);
      EXPECT_EQ(kept[k].index, static_cast<int>(k));
      EXPECT_EQ(kept[k].seed, 11u + static_cast<std::uint64_t>(best - scores.begin()));
      EXPECT_NEAR(*kept[k].score, *best, 0.5) << "a batch rounds otherwise";
    }
  }
}

TEST_F(BestOf, AnInterruptedChoiceKeepsTheBestSoFar) {
  Generator model = generator();
  request_.count = 1;
  request_.best_of = 6;
  int ranked = 0;
  std::vector<Picture> kept;
  const bool finished =
      model.run({request_}, {},
                {.on_picture = [&](const Picture& picture) { kept.push_back(picture); },
                 .on_stage = [&](const StageEvent& event) { ranked += event.stage == "rank"; },
                 .should_stop = [&] { return ranked == 2; }});
  EXPECT_FALSE(finished);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_LE(kept[0].seed, 12u) << "of the two that were finished";
}

TEST_F(BestOf, FailedCandidatesAreLeftOut) {
  testing::TemporaryFolder temporary;
  const fs::path clip = temporary.path() / "clip";
  fs::copy(kClip, clip, fs::copy_options::recursive);
  // no picture's embedding has a direction: every score is 0 / 0
  testing::scale_tensor(clip / "model.safetensors", "visual_projection.weight", 0.0);
  Generator model({.model = testing::golden_path("pipelines/sd15-tiny"), .ranker = clip},
                  {.device = Device::kCpu, .dtype = DType::kFloat32});
  request_.count = 2;
  request_.best_of = 2;
  EXPECT_TRUE(drawn(model, request_).empty());
  EXPECT_EQ(failed_, (std::vector<int>{0, 1}));
}

TEST_F(BestOf, NeedsARanker) {
  request_.best_of = 2;
  Generator model(testing::golden_path("pipelines/sd15-tiny"), {.device = Device::kCpu});
  EXPECT_THAT([&] { model.complete(request_); },
              ::testing::ThrowsMessage<Error>(HasSubstr("best-of 2: model sd15-tiny has no ranker")));
  request_.best_of = 0;
  EXPECT_THAT([&] { model.complete(request_); }, ::testing::ThrowsMessage<Error>(HasSubstr("best-of 0")));
  EXPECT_EQ(generator().info().ranker, "clip");
}

TEST_F(BestOf, TheModelsOwnRankerIsFound) {
  testing::TemporaryFolder temporary;
  const fs::path model = temporary.path() / "model";
  fs::copy(testing::golden_path("pipelines/sd15-tiny"), model, fs::copy_options::recursive);
  fs::copy(kClip, temporary.path() / "model-ranker", fs::copy_options::recursive);
  EXPECT_EQ(Generator(model / "", {.device = Device::kCpu}).info().ranker, "model-ranker");
  fs::copy(kClip, model / "ranker", fs::copy_options::recursive);
  EXPECT_EQ(Generator(model, {.device = Device::kCpu}).info().ranker, "ranker");
}

class RankerErrors : public ::testing::Test {
 protected:
  RankerErrors() { fs::copy(kClip, folder(), fs::copy_options::recursive); }
  fs::path folder() const { return temporary_.path() / "clip"; }
  void expect_refused(const std::string& part_of_message) const {
    EXPECT_THAT([&] { Ranker(folder(), at::kCPU); },
                ::testing::ThrowsMessage<Error>(HasSubstr(part_of_message)));
  }
  void edit(const std::string& file, const std::string& key, const Json& value) const {
    Json json = read_json_file(folder() / file);
    json[key] = value;
    std::ofstream(folder() / file) << json;
  }
  testing::TemporaryFolder temporary_;
};

TEST_F(RankerErrors, NoFolder) {
  fs::remove_all(folder());
  expect_refused("no such folder");
}

TEST_F(RankerErrors, OneTowerOnly) {
  edit("config.json", "vision_config", nullptr);
  expect_refused("key 'vision_config' is missing");
}

TEST_F(RankerErrors, WeightsThatNothingUses) {
  Json json = read_json_file(folder() / "config.json");
  json["vision_config"]["num_hidden_layers"] = 1;
  std::ofstream(folder() / "config.json") << json;
  expect_refused("tensors are not part of the model its config describes");
  json["vision_config"]["num_hidden_layers"] = 0;
  std::ofstream(folder() / "config.json") << json;
  expect_refused("key 'num_hidden_layers' is 0; expected 1 to 256");
}

TEST_F(RankerErrors, ThePreprocessorMayBeAPartOfAnotherFile) {
  const Json json = read_json_file(folder() / "preprocessor_config.json");
  fs::remove(folder() / "preprocessor_config.json");
  expect_refused("preprocessor_config.json");
  std::ofstream(folder() / "processor_config.json") << Json{{"image_processor", json}};
  EXPECT_NO_THROW(Ranker(folder(), at::kCPU));
}

TEST_F(RankerErrors, WeightsOfAnotherSize) {
  edit("config.json", "projection_dim", 21);
  expect_refused("text_projection.weight': the config asks for shape [21, 16], found [20, 16]");
}

TEST_F(RankerErrors, PicturesOfAnotherSize) {
  edit("preprocessor_config.json", "crop_size", 16);
  expect_refused("crop_size 16 contradicts image_size 32");
  edit("preprocessor_config.json", "crop_size", 64);
  expect_refused("crop_size 64 is more than size 40");
  edit("preprocessor_config.json", "size", {{"shortest_edge", "big"}});
  expect_refused("'shortest_edge' has the unusable value");
  edit("preprocessor_config.json", "size", {{"shortest_edge", 64}});
  edit("preprocessor_config.json", "crop_size", 32);
  edit("preprocessor_config.json", "image_std", {0.5, 0, 0.5});
  expect_refused("'image_std' must be positive");
}

}  // namespace
}  // namespace sdgen
